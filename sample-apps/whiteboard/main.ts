/**
 * A whiteboard per instance: rtmp://HOST/whiteboard/ROOM. Connect with a name, open the shared objects `board`, which is
 * kept on disk, and `people`, and draw: each slot of `board` is one stroke.
 */

interface Point {
  x: number;
  y: number;
}

interface Stroke {
  by: string;
  colour: string;
  /** Of the line. Default 4. */
  width?: number;
  points: Point[];
}

interface Person {
  name: string;
  colour: string;
}

interface Painter extends Client {
  painter: Person;
  ink: number;
  inkAt: number;
}

/** The board, whatever the size of a window that shows it. */
const WIDTH = 1600;
const HEIGHT = 1200;
const MAX_STROKES = 2000;
/** Of one stroke, and of all of them. */
const MAX_POINTS = 500;
const MAX_POINTS_IN_ALL = 100_000;
const MAX_LINE = 60;
/** What a painter may use at once, and what comes back in a second: a message costs ten, a point one. */
const MAX_INK = 20_000;
const INK_PER_SECOND = 3000;
const COLOURS = ['#d33', '#37a', '#293', '#c70', '#849', '#088'];

const board = SharedObject.get<Record<string, Stroke>>('board', true);
const people = SharedObject.get<Record<string, Person>>('people');
/** Of each stroke how many points it has, oldest first. */
const strokes = new Map(board.getPropertyNames().map((name) => [name, board.data[name]?.points.length ?? 0]));

application.onConnect = (client, wanted) => {
  const name = typeof wanted === 'string' ? wanted.trim() : '';
  if (name === '' || name.length > 32)
    throw new RpcError('NAME', 'Connect with a name of 1 to 32 characters.');
  // After the script has died everybody passes here again: with the colour that they have.
  const painter = people.getProperty(client.id) ?? { name, colour: COLOURS[people.size() % COLOURS.length]! };
  Object.assign(client, { painter, ink: MAX_INK, inkAt: Date.now() });
  // Who is here is told by the server alone; everybody may draw.
  client.writeAccess = 'board';
  people.setProperty(client.id, painter, { until: client });
  return true;
};

/** Strokes and pointers, in nobody else's name. */
board.authorize = ({ code, name, value, oldValue, client }) => {
  const painter = client as Painter;
  const isOwn = oldValue === undefined || oldValue.by === painter.painter.name;
  switch (code) {
    case 'change':
      return name.length <= 64 && isOwn && isStroke(value) && mayDraw(painter, value, value.points.length);
    case 'delete':
      return isOwn && hasInk(painter, 0);
    case 'send':
      return maySend(painter, name, value);
    case 'clear':
      return hasInk(painter, 0);
  }
};

board.onSync = (list) => {
  for (const { code, name, client } of list) {
    if (code === 'clear') wiped(client);
    else if (code === 'delete') strokes.delete(name);
    else strokes.set(name, board.data[name]?.points.length ?? 0);
  }
  trim();
};

application.expose({
  /** Who you are, and in which colour you draw. */
  me(this: Painter) {
    return this.painter;
  },

  /** Takes back the last stroke that is yours: its name, or null. */
  undo: {
    perSecond: 10,
    call(this: Painter) {
      const last = [...strokes.keys()].findLast((name) => board.data[name]?.by === this.painter.name);
      if (last === undefined) return null;
      delete board.data[last];
      strokes.delete(last);
      return last;
    },
  },

  /** An empty board, for everybody. */
  wipe: {
    perSecond: 1,
    call(this: Painter) {
      board.clear();
      wiped(this);
    },
  },
});

function wiped(client?: Client): void {
  strokes.clear();
  trace(`${(client as Painter | undefined)?.painter.name ?? 'somebody'} wiped the board`);
}

/** The oldest strokes give way, all in one step. */
function trim(): void {
  let points = strokes.values().reduce((sum, count) => sum + count, 0);
  if (strokes.size <= MAX_STROKES && points <= MAX_POINTS_IN_ALL) return;
  board.transaction(() => {
    for (const [name, count] of strokes) {
      if (strokes.size <= MAX_STROKES && points <= MAX_POINTS_IN_ALL) break;
      delete board.data[name];
      strokes.delete(name);
      points -= count;
    }
  });
}

/** `pointer(by, x, y)`: where somebody points; `ink(by, stroke, colour, width, points)`: what a stroke has got, until it is kept. */
function maySend(painter: Painter, method: string, args: unknown[]): boolean {
  if (method === 'pointer') {
    const [by, x, y] = args;
    return args.length === 3 && by === painter.painter.name && isPoint({ x, y }) && hasInk(painter, 0);
  }
  if (method !== 'ink' || args.length !== 5) return false;
  const [by, stroke, colour, width, points] = args;
  const value = { by, colour, width, points };
  return (
    typeof stroke === 'string' &&
    stroke.length <= 64 &&
    isStroke(value) &&
    mayDraw(painter, value, value.points.length)
  );
}

function mayDraw(painter: Painter, stroke: Stroke, points: number): boolean {
  return stroke.by === painter.painter.name && hasInk(painter, points);
}

/** Nobody draws faster than ink comes. */
function hasInk(painter: Painter, points: number): boolean {
  const now = Date.now();
  const ink = Math.min(MAX_INK, painter.ink + ((now - painter.inkAt) / 1000) * INK_PER_SECOND);
  const cost = 10 + points;
  painter.inkAt = now;
  painter.ink = ink < cost ? ink : ink - cost;
  return ink >= cost;
}

function isStroke(value: unknown): value is Stroke {
  const { by, colour, width, points, ...more } = (value ?? {}) as Partial<Stroke>;
  return (
    typeof by === 'string' &&
    typeof colour === 'string' &&
    /^#([0-9a-f]{3}){1,2}$/i.test(colour) &&
    (width === undefined || (Number.isFinite(width) && width >= 1 && width <= MAX_LINE)) &&
    Array.isArray(points) &&
    points.length > 0 &&
    points.length <= MAX_POINTS &&
    Object.keys(points).length === points.length &&
    Array.prototype.every.call(points, isPoint) &&
    Object.keys(more).length === 0
  );
}

function isPoint(value: unknown): value is Point {
  const { x, y, ...more } = (value ?? {}) as Partial<Point>;
  return isWithin(x, WIDTH) && isWithin(y, HEIGHT) && Object.keys(more).length === 0;
}

function isWithin(value: unknown, most: number): boolean {
  return typeof value === 'number' && value >= 0 && value <= most;
}
