/** The folders of the repository, each with the folders it may import from besides itself. */
export type LayerRules = Readonly<Record<string, readonly string[] | 'anything'>>;

/**
 * Contracts at the bottom, the command at the top. A worker never imports the server nor the other way
 * round: they only meet on the wire. Nothing imports what may import anything.
 */
export const LAYERS: LayerRules = {
  protocol: [],
  mail: [],
  logging: [],
  config: ['protocol', 'logging'],
  client: ['protocol'],
  sink: ['mail', 'logging'],
  server: ['protocol', 'mail', 'config', 'logging'],
  worker: ['protocol', 'mail', 'config', 'logging'],
  cli: ['protocol', 'mail', 'config', 'logging', 'client', 'sink', 'server', 'worker'],
  web: ['protocol'],
  scripts: 'anything',
  deploy: 'anything',
  docs: 'anything',
  examples: [],
  test: 'anything',
};
