export * from './dkim-spec.ts';
export * from './flags.ts';
export * from './load.ts';
export * from './relay-url.ts';
export * from './server-settings.ts';
export * from './setting.ts';
export * from './worker-settings.ts';
