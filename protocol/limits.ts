/**
 * The bounds of the wire. Each protects the process behind it: a peer that goes beyond one is told so, in a
 * NACK that names the limit, and nothing it sent before is lost.
 */

/** Largest frame that a server accepts from a worker, peer or client, bytes. */
export const MAX_FRAME_BYTES = 1024 * 1024;

/**
 * Frames between MAX_FRAME_BYTES and this are still read, so that the sender gets a clear error instead of a bare close,
 * bytes. Beyond it the WebSocket library closes with 1009.
 */
export const MAX_READABLE_FRAME_BYTES = 4 * 1024 * 1024;

/** Largest frame of one who has not shown a token where one is asked for, bytes: the first message may bring it. */
export const MAX_STRANGER_FRAME_BYTES = 64 * 1024;

/** Largest frame that a worker accepts from a server: a task with its message and attachments, bytes. */
export const MAX_TASK_FRAME_BYTES = 64 * 1024 * 1024;

/** Largest message of a batch, with its attachments as base64, bytes. */
export const MAX_MESSAGE_BYTES = 25 * 1024 * 1024;

/** Recipients in one SUBMIT or RECIPIENTS frame. */
export const MAX_CHUNK_RECIPIENTS = 10_000;

/** Longest address that can be a path of RFC 5321 §4.5.3.1.3, with room for a wrong one to be named; characters. */
export const MAX_ADDRESS_CHARS = 1000;

/** Variables of one recipient, bytes of their JSON. */
export const MAX_VARIABLES_BYTES = 16 * 1024;

/** Recipients in one task: with the longest variables, its frame stays well below MAX_TASK_FRAME_BYTES. */
export const MAX_TASK_RECIPIENTS = 1_000;

/** Tasks that one worker may hold or ask for. */
export const MAX_SLOTS = 64;

/** Longest reply or error text kept of a relay, characters. */
export const MAX_REPLY_CHARS = 1_000;

/** Peers carried by one heartbeat. */
export const MAX_PEERS = 200;

/** Workers named in one lending message. */
export const MAX_WORKERS = 1_000;

/** Servers that a worker is told of, where it may go when its own is gone. */
export const MAX_FAILOVER = 100;

/** Rejected rows listed in the answer to COMMIT; the answers to the chunks list all of theirs. */
export const MAX_REJECTED_LISTED = 1_000;

/** Malformed frames after which a connection is closed (1008). */
export const MAX_BAD_FRAMES = 5;

/** Time that a connection may take to say who it is and show its token, ms. */
export const AUTHENTICATE_WITHIN_MS = 5_000;
