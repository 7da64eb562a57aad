import { isIP } from 'node:net';
import { describeError, StagewireError } from './base/errors.ts';
import { createLog } from './base/log.ts';
import { type Config, formatAddress, parseCommandLine } from './config.ts';
import { type Server, startServer } from './server.ts';

/** Whatever scripts and clients do, the process is gone by then. */
const EXIT_WITHIN_MS = 4500;

async function main(): Promise<void> {
  const commandLine = parseCommandLine(process.argv.slice(2));
  if ('print' in commandLine) {
    console.log(commandLine.print);
    return;
  }
  const { config } = commandLine;
  const log = createLog({ format: config.log, level: config.logLevel });
  let server: Server | undefined;

  const stop = (signal: string) => {
    const leave = () => void log.flush().then(() => process.exit(0));
    setTimeout(leave, EXIT_WITHIN_MS).unref();
    log.info(`stopping (${signal})`);
    void (server?.close() ?? Promise.resolve()).then(leave);
  };
  process.once('SIGINT', () => stop('SIGINT'));
  process.once('SIGTERM', () => stop('SIGTERM'));

  // A bug must not end the show for everybody: it is logged whole, and the server goes on.
  process.on('uncaughtException', (error) => log.error('a bug of the server', { code: 'E_BUG', error }));

  server = await startServer(config, log);
  const rtmp = `rtmp://${formatAddress(server.rtmp)}`;
  const { http, rtmps, https } = server;
  const urls = [rtmp, `http://${formatAddress(http)}`];
  if (rtmps) urls.push(`rtmps://${formatAddress(rtmps)}`);
  if (https) urls.push(`https://${formatAddress(https)}`);
  console.log(`stagewire ready ${urls.join(' ')}`);
  if (config.log === 'pretty') await printWelcome(server, config, rtmp);
}

/** What to try with each application, for people at a terminal. */
async function printWelcome(server: Server, config: Config, rtmp: string): Promise<void> {
  const lines = [''];
  if (config.playground) lines.push(`  playground  http://${formatAddress(server.http)}/`, '');
  if (config.edgeOf) lines.push(`  edge of     ${config.edgeOf.uri}`, '');
  for (const app of server.registry.apps) {
    const { try: stream = 'mystream' } = app.settings;
    const [name = stream] = stream.split('?');
    lines.push(`  ${app.name}  (${app.build ? `build ${app.build.id}` : 'no build yet: see the log'})`);
    lines.push(`    ffmpeg   ffmpeg -re -i clip.mp4 -c copy -f flv "${rtmp}/${app.name}/${stream}"`);
    lines.push(`    OBS      Server ${rtmp}/${app.name}   Stream key ${stream}`);
    lines.push(`    watch    ffplay "${rtmp}/${app.name}/${name}"`);
    lines.push('');
  }
  if (server.registry.apps.length === 0 && !config.edgeOf)
    lines.push('  No applications yet: make a folder with a main.ts in it.', '');
  if (isLoopback(config.rtmp.host)) {
    lines.push('  Only this machine can connect. To open it: npm start -- --rtmp 0.0.0.0:1935', '');
  }
  console.log(lines.join('\n'));
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

main().catch((error: unknown) => {
  // One clear line for what the user can mend, the whole story for what only we can.
  if (error instanceof StagewireError) console.error(`stagewire: ${describeError(error)}`);
  else console.error(error);
  process.exit(error instanceof StagewireError && /^E_(USAGE|CONFIG)$/.test(error.code) ? 2 : 1);
});
