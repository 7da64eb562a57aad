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
  points: Point[];
}

interface Person {
  name: string;
  colour: string;
}

interface Painter extends Client {
  painter: Person;
}

const MAX_STROKES = 2000;
const COLOURS = ['#d33', '#37a', '#293', '#c70', '#849', '#088'];

const board = SharedObject.get<Record<string, Stroke>>('board', true);
const people = SharedObject.get<Record<string, Person>>('people');
/** Names of strokes, oldest first. */
let order = board.getPropertyNames();

application.onConnect = (client, wanted) => {
  const name = String(wanted ?? '').trim();
  if (name === '' || name.length > 32)
    throw new RpcError('NAME', 'Connect with a name of 1 to 32 characters.');
  // After this file was saved everybody passes here again: with the colour that they have.
  const painter = people.getProperty(client.id) ?? { name, colour: COLOURS[people.size() % COLOURS.length]! };
  (client as Painter).painter = painter;
  // Who is here is told by the server alone; everybody may draw.
  client.writeAccess = 'board';
  people.setProperty(client.id, painter, { until: client });
  return true;
};

/** Strokes and pointers, in nobody else's name. */
board.authorize = ({ code, name, value, client }) => {
  switch (code) {
    case 'change':
      return isStroke(value) && value.by === (client as Painter).painter.name;
    case 'send':
      return name === 'pointer';
    default:
      return true;
  }
};

board.onSync = (list) => {
  for (const { code, name, oldValue, client } of list) {
    if (code === 'clear') order = [];
    else if (code === 'delete') order = order.filter((each) => each !== name);
    else if (oldValue === undefined) order.push(name);
    if (code === 'clear')
      trace(`${(client as Painter | undefined)?.painter.name ?? 'somebody'} wiped the board`);
  }
  trim();
};

application.expose({
  /** Who you are, and in which colour you draw. */
  me(this: Painter) {
    return this.painter;
  },

  /** Takes back the last stroke that is yours: its name, or null. */
  undo(this: Painter) {
    const last = order.findLast((name) => board.data[name]?.by === this.painter.name);
    if (last === undefined) return null;
    delete board.data[last];
    order = order.filter((name) => name !== last);
    return last;
  },
});

/** The oldest strokes give way, all in one step. */
function trim(): void {
  if (order.length <= MAX_STROKES) return;
  board.transaction(() => {
    for (const name of order.splice(0, order.length - MAX_STROKES)) delete board.data[name];
  });
}

function isStroke(value: unknown): value is Stroke {
  const { by, colour, points } = (value ?? {}) as Partial<Stroke>;
  return (
    typeof by === 'string' && typeof colour === 'string' && Array.isArray(points) && points.every(isPoint)
  );
}

function isPoint(value: unknown): value is Point {
  const { x, y } = (value ?? {}) as Partial<Point>;
  return Number.isFinite(x) && Number.isFinite(y);
}
