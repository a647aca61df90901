export type { Admission } from './borrower.ts';
export type { MeshIdentity } from './context.ts';
export type { PoolFigures } from './load.ts';
export { Mesh, type MeshOptions } from './mesh.ts';
export type {
  Clock,
  GuestWorker,
  HomeWorker,
  MeshLogger,
  MeshPool,
  PeerConnection,
  PeerTransport,
  ReturnMessage,
} from './ports.ts';
export { type MeshSettings, meshDefaults } from './settings.ts';
export type { MeshSnapshot } from './snapshot.ts';
export type { LoanRecord, LoanStore } from './store.ts';
export { WebSocketConnection } from './ws-transport.ts';
