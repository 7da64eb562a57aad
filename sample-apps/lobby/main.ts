/**
 * Matchmaking. Whoever connects to rtmp://HOST/lobby with a name waits until there are enough players; then all of
 * them are sent to an instance of their own, rtmp://HOST/lobby/game-1, and play a round there: everybody calls
 * `guess` with a number from 1 to 10, and the highest that nobody else has named wins.
 *
 * A player hears `seated(names)` when all have arrived, and `result(winner, guesses)` at the end.
 */

declare global {
  interface ClientMethods {
    seated(names: string[]): void;
    result(winner: string | null, guesses: Record<string, number>): void;
  }
}

interface Player extends Client {
  name: string;
  guess?: number;
}

const PLAYERS = Number(application.config.players ?? 2);
/** How long a table waits for those who were sent to it. */
const ARRIVAL_MS = 10_000;
const isLobby = application.name.endsWith('/_definst_');

const nameOf = (wanted: unknown) => {
  const name = String(wanted ?? '').trim();
  return name.length >= 1 && name.length <= 32 ? name : undefined;
};

// The lobby: an answer that is no boolean leaves a client waiting.

let waiting: Client[] = [];
let tables = 0;

function wait(client: Client): undefined {
  waiting.push(client);
  if (waiting.length < PLAYERS) return;
  const table = `game-${Date.now().toString(36)}-${++tables}`;
  for (const player of waiting) {
    application.redirectConnection(
      player,
      player.uri.replace(/(\/lobby)\b.*$/, `$1/${table}`),
      'Your table is ready.',
    );
  }
  waiting = [];
}

// A table: full when all have come, over when all have guessed.

const players = () => application.clients as Player[];

function take(client: Player): boolean {
  if (players().length >= PLAYERS) {
    application.rejectConnection(client, 'This table is full.');
    return false;
  }
  // It sits down when this handler is over.
  if (players().length === PLAYERS - 1)
    setTimeout(
      () =>
        application.broadcastMsg(
          'seated',
          players().map(({ name }) => name),
        ),
      0,
    );
  return true;
}

function end(): void {
  const guesses: Record<string, number> = {};
  for (const { name, guess = 0 } of players()) guesses[name] = guess;
  const numbers = Object.values(guesses);
  const alone = Object.entries(guesses).filter(
    ([, guess]) => numbers.filter((n) => n === guess).length === 1,
  );
  const [best] = alone.sort(([, a], [, b]) => b - a);
  application.broadcastMsg('result', best?.[0] ?? null, guesses);
  application.shutdown();
}

application.onConnect = (client, wanted) => {
  const name = nameOf(wanted);
  if (name === undefined) {
    application.rejectConnection(client, 'Connect with a name of 1 to 32 characters.');
    return false;
  }
  (client as Player).name = name;
  return isLobby ? wait(client) : take(client as Player);
};

// Saving this file leaves tables as they are; a guess that was made before is asked for again.
application.onReattach = (client) => {
  (client as Player).name = `player ${application.clients.indexOf(client) + 1}`;
  return true;
};

if (!isLobby) {
  setTimeout(() => {
    if (players().length < PLAYERS) application.shutdown();
  }, ARRIVAL_MS);
}

application.expose({
  guess: {
    args: (args) => Number.isInteger(args[0]) && Number(args[0]) >= 1 && Number(args[0]) <= 10,
    call(number: number) {
      const player = this as Player;
      if (players().length < PLAYERS) throw new RpcError('Lobby.Early', 'Not everybody is here yet.');
      if (player.guess !== undefined) throw new RpcError('Lobby.Twice', `You have named ${player.guess}.`);
      player.guess = number;
      if (players().every(({ guess }) => guess !== undefined)) setTimeout(end, 0);
    },
  },
});

export {};
