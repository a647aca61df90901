/** Version of the wire protocol, carried as PROTOCOL. It grows when a message changes its meaning, not when one gains an optional key. */
export const PROTOCOL_VERSION = 1;
