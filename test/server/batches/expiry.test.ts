import { describe, expect, it } from 'vitest';
import { TestClient } from '../../support/client.ts';
import { ScriptedWorker } from '../../support/scripted-worker.ts';
import { startTestServer } from '../../support/server.ts';
import { until } from '../../support/until.ts';

const RELAY = { relay: ['smtp://relay.example?name=mx'] };
/** Long enough to submit and lease, short enough to wait for. */
const SOON = { OPTIONS: { EXPIRES: 0.5 } };

async function open() {
  const server = await startTestServer({ ...RELAY, taskSeconds: '100ms' });
  return { server, client: await TestClient.of(server) };
}

const ofBatch = (client: TestClient, uuid: string, state: string) =>
  until(`it is ${state}`, async () => {
    const batch = await client.batch(uuid);
    return batch.STATE === state ? batch : undefined;
  });

describe('a batch that expires', () => {
  it('fails all that waits, with a reply that says so and one line in the log, and is over', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(5_000, SOON);
    expect(await client.batch(uuid)).toMatchObject({ EXPIRES_AT: expect.stringMatching(/^2\d{3}-.*Z$/) });
    const { COUNTS } = await ofBatch(client, uuid, 'FINISHED');
    expect(COUNTS).toMatchObject({ FAILED: 5_000, SENT: 0 });
    const list = await client.ask('LIST', { BATCH_UUID: uuid, STATE: 'FAILED', LIMIT: 1 });
    expect(list).toMatchObject({
      RECIPIENTS: [{ SEQ: 0, ATTEMPTS: 0, REPLY: expect.stringMatching(/^expired: .* before 2/) }],
    });
    const lines = server.log.filter(({ msg }) => msg.includes('time of a batch is over'));
    expect(lines).toMatchObject([{ batch: uuid, recipients: 5_000 }]);
    for (const verb of ['RETRY', 'RESUME'])
      expect((await client.ask(verb, { BATCH_UUID: uuid })).ERROR?.CODE).toMatch(/EXPIRED|WRONG_STATE/);
    await server.stop();
    expect((await server.audit(uuid)).problems).toEqual([]);
  });

  it('is not leased any more, what is out is asked back, and fails when it comes', async () => {
    const { server, client } = await open();
    const worker = await ScriptedWorker.full(server, 'w1', { SLOTS: 1 });
    const uuid = await client.submit(40, SOON);
    const task = await worker.task();
    const recall = await worker.socket.next(({ TASK }) => TASK === 'HAND_BACK');
    expect(recall.TASKS).toEqual([task.TASK_UUID]);
    const [first, ...rest] = task.RECIPIENTS.map(({ SEQ }) => SEQ);
    worker.alive({ WORKER_UUID: 'w1', TASKS: [task.TASK_UUID], SLOTS: 3 });
    await worker.report(task, {
      SENT: [[first as number, first as number]],
      RETURNED: rest.map((seq) => [seq, seq]),
      DONE: true,
    });
    const { COUNTS } = await ofBatch(client, uuid, 'FINISHED');
    expect(COUNTS).toMatchObject({ SENT: 1, FAILED: 39 });
    expect(worker.tasks).toHaveLength(1);
    await server.stop();
    expect((await server.audit(uuid)).problems).toEqual([]);
  });

  it('expires while it is paused too, and over a restart', async () => {
    const { server, client } = await open();
    const uuid = await client.submit(3, { OPTIONS: { EXPIRES: 1 } });
    await client.ask('PAUSE', { BATCH_UUID: uuid });
    await server.stop();
    await server.start();
    const again = await TestClient.of(server);
    expect((await ofBatch(again, uuid, 'FINISHED')).COUNTS).toMatchObject({ FAILED: 3 });
  });

  it('is refused when its time is over before it is submitted', async () => {
    const { client } = await open();
    await expect(client.submit(1, { OPTIONS: { EXPIRES: '2020-01-01T00:00:00Z' } })).rejects.toThrow(
      /EXPIRED.*which is over/,
    );
    await expect(client.submit(1, { OPTIONS: { EXPIRES: 'tomorrow' } })).rejects.toThrow(/EXPIRES/);
  });
});
