import { Hono } from 'hono';

/** Whether the server takes batches, and what is the matter with it: that may keep it from taking them, or only from sending. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export interface AppParts {
  readonly version: string;
  readonly readiness: () => Readiness;
}

/**
 * The HTTP side of the port. `/healthz`: the process lives; `/readyz`: it takes batches (503 and the reasons when not; `degraded` with 200 while it
 * takes them and something else is the matter).
 */
export function httpApp(parts: AppParts): Hono {
  const app = new Hono();
  // The gateway takes these before they come here, unless it is not there yet or not any more: whoever asks may ask again.
  app.use(async (context, next) => {
    if (context.req.header('upgrade') === undefined) return next();
    const error = 'the server is starting or stopping, try again';
    return context.json({ error }, 503, { 'Retry-After': '1', Connection: 'close' });
  });
  app.get('/healthz', (context) => context.json({ status: 'ok', version: parts.version }));
  app.get('/readyz', (context) => {
    const { ready, reasons } = parts.readiness();
    return context.json(
      { status: !ready ? 'not ready' : reasons.length > 0 ? 'degraded' : 'ready', reasons },
      ready ? 200 : 503,
    );
  });
  app.notFound((context) => context.json({ error: 'not found', try: ['/healthz', '/readyz'] }, 404));
  return app;
}
