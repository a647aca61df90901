import { afterEach, expect, test } from 'vitest';
import { type Batch, connect, type MutiraoClient } from '../../client/index.ts';
import { BATCH, batchInfo, collect, type Peer, type Script, ScriptedServer } from './scripted-server.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function ready(script: Script): Promise<{ server: ScriptedServer; client: MutiraoClient }> {
  const server = await new ScriptedServer(script).start();
  open.push(() => server.stop());
  const client = await connect({ server: server.url });
  open.push(() => client.close());
  return { server, client };
}

const progress = (sent: number, state: 'RUNNING' | 'FINISHED' | 'CANCELLED' = 'RUNNING') => ({
  EVENT: 'PROGRESS',
  BATCH: batchInfo({ STATE: state }, { TOTAL: 10, SENT: sent, PENDING: 10 - sent }),
});

function onWatch(then: (peer: Peer) => void): Script {
  return (request, peer) => {
    if (request.CLIENT !== 'WATCH') return false;
    then(peer);
    return true;
  };
}

test('a watch yields the progress and ends with the batch', async () => {
  const { server, client } = await ready(
    onWatch((peer) => {
      peer.send(progress(0));
      setTimeout(() => peer.send(progress(10, 'FINISHED')), 20);
    }),
  );
  const seen: Batch[] = await collect(client.watch(BATCH, { everyMs: 100 }));
  expect(seen.map((batch) => [batch.state, batch.counts.sent])).toEqual([
    ['running', 0],
    ['finished', 10],
  ]);
  expect(server.requests.at(-1)).toMatchObject({ CLIENT: 'WATCH', EVERY_MS: 100 });
  await expect.poll(() => server.peers.size).toBe(1);
});

test('the answer to WATCH counts as progress where it carries the batch', async () => {
  const { client } = await ready((request, peer) => {
    if (request.CLIENT !== 'WATCH') return false;
    peer.ack(request, { BATCH: progress(10, 'CANCELLED').BATCH });
    return true;
  });
  expect((await collect(client.watch(BATCH))).map((batch) => batch.state)).toEqual(['cancelled']);
});

test('a watch survives a server that goes away and comes back, and tells of it once', async () => {
  let watches = 0;
  const { server, client } = await ready(
    onWatch((peer) => {
      watches++;
      peer.send(progress(watches, watches === 2 ? 'FINISHED' : 'RUNNING'));
    }),
  );
  const interruptions: string[] = [];
  const seen: number[] = [];
  let back: Promise<void> | undefined;
  for await (const batch of client.watch(BATCH, {
    onInterrupted: (error) => interruptions.push(error.code),
  })) {
    seen.push(batch.counts.sent);
    back ??= (async () => {
      server.refuseUpgrade = 503;
      server.cutAll();
      await expect.poll(() => server.upgrades, { timeout: 10_000 }).toBe(4);
      server.refuseUpgrade = 0;
    })();
  }
  await back;
  expect(seen).toEqual([1, 2]);
  expect(interruptions).toEqual(['CONNECTION_LOST']);
});

test('a slow reader gets the newest state and not a queue of old ones', async () => {
  const { client } = await ready(
    onWatch((peer) => {
      for (let sent = 0; sent < 10; sent++) peer.send(progress(sent));
      peer.send(progress(10, 'FINISHED'));
    }),
  );
  let count = 0;
  for await (const batch of client.watch(BATCH)) {
    count++;
    await new Promise((resolve) => setTimeout(resolve, 50));
    if (count > 1) expect(batch.state).toBe('finished');
  }
  expect(count).toBeLessThanOrEqual(2);
});

test('events of another batch are not taken for progress', async () => {
  const { client } = await ready(
    onWatch((peer) => {
      peer.send({ EVENT: 'PROGRESS', BATCH: batchInfo({ BATCH_UUID: 'other', STATE: 'FINISHED' }) });
      peer.send({ EVENT: 'SOMETHING_NEW' });
      setTimeout(() => peer.send(progress(10, 'FINISHED')), 20);
    }),
  );
  expect((await collect(client.watch(BATCH))).map((batch) => batch.id)).toEqual([BATCH]);
});

test('an unknown batch is an error at once', async () => {
  const { client } = await ready((request, peer) => {
    if (request.CLIENT !== 'WATCH') return false;
    peer.nack(request, 'UNKNOWN_BATCH', 'no such batch');
    return true;
  });
  await expect(collect(client.watch('x'))).rejects.toMatchObject({ code: 'UNKNOWN_BATCH' });
});

test('a watch gives up after the time it is given', async () => {
  const { server, client } = await ready(onWatch((peer) => peer.send(progress(1))));
  await expect(
    (async () => {
      for await (const _ of client.watch(BATCH, { giveUpAfterMs: 1 })) await server.stop();
    })(),
  ).rejects.toMatchObject({ retry: true });
});

test('a watch can be left early or aborted, and its connection is closed', async () => {
  const { server, client } = await ready(onWatch((peer) => peer.send(progress(1))));
  for await (const _ of client.watch(BATCH)) break;
  await expect.poll(() => server.peers.size).toBe(1);
  const stop = new AbortController();
  const aborted = (async () => {
    for await (const _ of client.watch(BATCH, { signal: stop.signal })) stop.abort(new Error('enough'));
  })();
  await expect(aborted).rejects.toThrow('enough');
  await expect.poll(() => server.peers.size).toBe(1);
});
