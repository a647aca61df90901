import { afterEach, expect, test } from 'vitest';
import { connect, type MutiraoClient } from '../../client/index.ts';
import { BATCH, batchInfo, type Script, ScriptedServer } from './scripted-server.ts';

const open: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

async function servers(...scripts: Script[]): Promise<ScriptedServer[]> {
  return Promise.all(
    scripts.map(async (script) => {
      const server = await new ScriptedServer(script).start();
      open.push(() => server.stop());
      return server;
    }),
  );
}

async function clientOf(all: readonly ScriptedServer[]): Promise<MutiraoClient> {
  const client = await connect({ server: all.map(({ url }) => url) });
  open.push(() => client.close());
  return client;
}

const asUsual: Script = () => false;
const MESSAGE = { from: 'News <news@example.org>', subject: 'Hello', text: 'Dear all', key: 'spring' };

/** Says how far the batch is, and no more. */
const watched =
  (sent: number, state: 'RUNNING' | 'FINISHED' = 'RUNNING'): Script =>
  (request, peer) => {
    if (request.CLIENT !== 'WATCH') return false;
    peer.ack(request, { BATCH: batchInfo({ STATE: state }, { SENT: sent }) });
    return true;
  };

test('the first server that can be reached is used', async () => {
  const [gone, there] = (await servers(asUsual, asUsual)) as [ScriptedServer, ScriptedServer];
  await gone.stop();
  const client = await clientOf([gone, there]);
  await client.batches();
  expect(client.address).toBe(there.url);
  expect(there.verbs).toEqual(['BATCHES', 'BATCHES']);
});

test('when none can be reached, the error is that of the first', async () => {
  const all = await servers(asUsual, asUsual);
  for (const server of all) await server.stop();
  await expect(connect({ server: all.map(({ url }) => url) })).rejects.toMatchObject({
    code: 'CANNOT_CONNECT',
    server: all[0]?.url,
  });
});

test('a watch goes on at the next server when its own has died', async () => {
  const [first, second] = (await servers(watched(1), watched(2, 'FINISHED'))) as [
    ScriptedServer,
    ScriptedServer,
  ];
  const client = await clientOf([first, second]);
  const seen: number[] = [];
  const interruptions: string[] = [];
  const onInterrupted = (error: { code: string }) => interruptions.push(error.code);
  for await (const { counts } of client.watch(BATCH, { onInterrupted })) {
    seen.push(counts.sent);
    if (seen.length === 1) await first.stop();
  }
  expect(seen).toEqual([1, 2]);
  expect(interruptions).toEqual(['CONNECTION_LOST']);
  expect(client.address).toBe(second.url);
});

test('a submission with a key goes on at the next server, when its own dies in it or will not take it', async () => {
  const dies: Script = (request, peer) => {
    if (request.CLIENT === 'COMMIT') peer.socket.terminate();
    return request.CLIENT === 'COMMIT';
  };
  const stops: Script = (request, peer) => {
    if (request.CLIENT === 'SUBMIT') peer.nack(request, 'STOPPING', 'this server is stopping', true);
    return request.CLIENT === 'SUBMIT';
  };
  const all = (await servers(dies, stops, asUsual)) as [ScriptedServer, ScriptedServer, ScriptedServer];
  const client = await clientOf(all);
  const repeats: string[] = [];
  const submitted = await client.submit(MESSAGE, [{ address: 'ann@example.net' }], {
    onRepeat: (error) => repeats.push(error.code),
  });
  expect(submitted).toMatchObject({ batch: BATCH, accepted: 1 });
  expect(repeats).toEqual(['CONNECTION_LOST', 'STOPPING']);
  expect(all[2].verbs).toContain('COMMIT');
});
