export * from './errors.ts';
export * from './open.ts';
export * from './postgres/postgres-store.ts';
export * from './sqlite/sqlite-store.ts';
export * from './store.ts';
