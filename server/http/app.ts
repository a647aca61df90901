import { Hono } from 'hono';

/** Whether the server can do its work, and if not, why. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

export interface AppParts {
  readonly version: string;
  readonly readiness: () => Readiness;
}

/** The HTTP side of the port. `/healthz`: the process lives; `/readyz`: it accepts batches (503 and the reasons when not). */
export function httpApp(parts: AppParts): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => context.json({ status: 'ok', version: parts.version }));
  app.get('/readyz', (context) => {
    const { ready, reasons } = parts.readiness();
    return context.json({ status: ready ? 'ready' : 'not ready', reasons }, ready ? 200 : 503);
  });
  app.notFound((context) => context.json({ error: 'not found', try: ['/healthz', '/readyz'] }, 404));
  return app;
}
