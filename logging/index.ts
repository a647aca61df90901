export type { Log, Logger, LoggerOptions, LogLevel } from './logger.ts';
export { createLogger, createSilentLogger } from './logger.ts';
export { maskAddresses, maskUrl } from './redact.ts';
export { LogFileError } from './rotating-file.ts';
export type { Terminal } from './terminal.ts';
export type { WarnLog } from './warn-limiter.ts';
export { WarnLimiter } from './warn-limiter.ts';
