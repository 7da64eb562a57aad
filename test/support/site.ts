import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Seen {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Site {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** For `fetch.hosts` of an `app.json`. */
  readonly host: string;
  readonly seen: Seen[];
  close(): void;
}

/** A web server on this machine that remembers what it is asked; `answers` are by path. */
export async function openSite(answers: Record<string, { status?: number; text: string }>): Promise<Site> {
  const seen: Seen[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      seen.push({ method, url, headers, body });
      const answer = answers[new URL(url, 'http://site').pathname] ?? { status: 404, text: 'nothing here' };
      response.writeHead(answer.status ?? 200, { 'content-type': 'text/plain' }).end(answer.text);
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.closeAllConnections();
    server.close();
  };
  return { url: `http://${host}`, host, seen, close };
}
