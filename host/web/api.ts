import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { whyRefused } from './access.ts';

/** One instance as the API shows it. */
export interface InstanceReport {
  app: string;
  instance: string;
  /** Id of the build that runs; null while the first one boots. */
  build: string | null;
  /** When the instance was loaded, ISO 8601. */
  since: string;
  clients: number;
  streams: { name: string; publisher: string | null; viewers: number; bytes: number }[];
  /** Of the script's heap; null for an application without a script. */
  heapBytes: number | null;
  cpuMs: number | null;
}

export interface ServerReport {
  status: 'ok';
  version: string;
  uptimeSeconds: number;
  connections: number;
  instances: number;
}

/** What the API asks of the server. */
export interface ApiSource {
  health(): ServerReport;
  instances(): Promise<InstanceReport[]>;
}

/** `/healthz` for everybody; the rest for this machine or the administrator's token. */
export function createApi(
  source: ApiSource,
  adminToken: string | undefined,
): Hono<{ Bindings: HttpBindings }> {
  const api = new Hono<{ Bindings: HttpBindings }>();

  api.get('/healthz', (context) => context.json(source.health()));

  api.use('/api/*', async (context, next) => {
    const reason = refusal(context.env.incoming, adminToken);
    if (reason) return context.json({ error: 'E_FORBIDDEN', message: reason }, 403);
    await next();
    return undefined;
  });
  api.get('/api/instances', async (context) => context.json({ instances: await source.instances() }));

  api.notFound((context) =>
    context.json({ error: 'E_NOT_FOUND', message: `nothing at ${context.req.path.slice(0, 200)}` }, 404),
  );
  return api;
}

function refusal(request: IncomingMessage, token: string | undefined): string | undefined {
  const { host, origin, authorization } = request.headers;
  return whyRefused({ address: request.socket.remoteAddress ?? '', host, origin, authorization }, token);
}
