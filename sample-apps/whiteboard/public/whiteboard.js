import { NetConnection, SharedObject } from '/client.js';
import { Paper, pictureOf } from './paper.js';
import { Pen } from './pen.js';
import { Pointers } from './pointers.js';

const $ = (id) => document.getElementById(id);
const COLOURS = ['#222', '#d33', '#c70', '#293', '#088', '#37a', '#849'];
const WIDTHS = { thin: 3, middle: 7, thick: 16 };
/** Strokes of others that are being drawn; who says nothing of one for so long has gone. */
const MAX_FRESH = 64;
const FRESH_MS = 10_000;
const POINT_MS = 50;

const connection = new NetConnection();
const board = SharedObject.getRemote('board', connection, true);
const people = SharedObject.getRemote('people', connection);
let me = '';
let count = 0;
const session = Math.random().toString(36).slice(2, 8);
/** By painter and stroke. */
const fresh = new Map();
let isKeptStale = false;
let isWanted = false;

const paper = new Paper($('paper'), $('kept'), $('fresh'), () => redraw());
const pointers = new Pointers($('pointers'));
const pen = new Pen($('fresh'), paper, {
  newName: () => `${me}-${session}-${++count}`,
  changed: wantPicture,
  tell: ({ name, colour, width }, points) => board.send('ink', me, name, colour, width, points),
  keep(name, stroke) {
    // Without a connection it waits for that.
    board.setProperty(name, { by: me, ...stroke });
    paper.addKept(stroke);
  },
});

board.on('ink', (by, name, colour, width, points) => {
  const key = `${by}/${name}`;
  if (by === me || name in board.data || (fresh.size >= MAX_FRESH && !fresh.has(key))) return;
  const known = fresh.get(key)?.points ?? [];
  fresh.set(key, { colour, width, points: [...known, ...points].slice(-500), at: Date.now() });
  wantPicture();
});
board.on('pointer', (by, x, y) => {
  const colour = Object.values(people.data).find(({ name }) => name === by)?.colour;
  if (by !== me && colour) pointers.show(by, colour, x, y);
});
board.onSync = (changes) => {
  for (const { code, name, oldValue } of changes) {
    if (code === 'success') continue;
    const stroke = board.data[name];
    if (code !== 'change' || oldValue || !stroke) isKeptStale = true;
    else paper.addKept(stroke);
    fresh.delete(`${stroke?.by}/${name}`);
  }
  wantPicture();
};
people.onSync = () => {
  const items = Object.values(people.data).map(({ name, colour }) => {
    const item = Object.assign(document.createElement('li'), { textContent: name });
    item.style.setProperty('--colour', colour);
    return item;
  });
  $('people').replaceChildren(...items);
};

function redraw() {
  isKeptStale = true;
  wantPicture();
}

/** Once for each picture of the screen, however much has happened. */
function wantPicture() {
  if (isWanted) return;
  isWanted = true;
  requestAnimationFrame(() => {
    isWanted = false;
    if (isKeptStale) paper.showKept(Object.values(board.data));
    isKeptStale = false;
    paper.showFresh([...fresh.values(), ...pen.strokes]);
  });
}

setInterval(() => {
  for (const [key, { at }] of fresh) if (Date.now() - at > FRESH_MS) fresh.delete(key);
  wantPicture();
}, 1000);

let pointed;
$('fresh').addEventListener('pointermove', (event) => {
  pointed = paper.pointAt(event);
});
setInterval(() => {
  if (pointed) board.send('pointer', me, pointed.x, pointed.y);
  pointed = undefined;
}, POINT_MS);

connection.onStatus = ({ code }) => {
  if (code === 'NetConnection.Connect.Closed') $('state').textContent = 'connecting again …';
  if (code === 'NetConnection.Connect.Success') $('state').textContent = '';
  if (code === 'NetConnection.Connect.Rejected') {
    $('hall').hidden = true;
    $('door').hidden = false;
  }
};

$('room').value = decodeURIComponent(location.hash.slice(1)) || 'studio';
$('name').value = sessionStorage.getItem('name') ?? '';
$('door').onsubmit = async (event) => {
  event.preventDefault();
  me = $('name').value.trim();
  const room = $('room').value;
  $('reason').textContent = '';
  try {
    await connection.connect(`/whiteboard/${room}`, me);
  } catch (error) {
    $('reason').textContent =
      error.info?.description.replace(/^\[.*?\] : (\(.*?\) : )?/, '') ?? error.message;
    return;
  }
  sessionStorage.setItem('name', me);
  location.hash = room;
  document.title = $('title').textContent = `# ${room}`;
  $('door').hidden = true;
  $('hall').hidden = false;
};

/** One of several is chosen. */
function offer(place, choices, chosen, choose) {
  const buttons = choices.map(([label, value]) => {
    const button = Object.assign(document.createElement('button'), { type: 'button', title: label });
    button.setAttribute('aria-label', label);
    button.style.setProperty('--value', typeof value === 'number' ? `${value}px` : value);
    button.onclick = () => {
      for (const each of buttons) each.setAttribute('aria-pressed', String(each === button));
      choose(value);
    };
    button.setAttribute('aria-pressed', String(value === chosen));
    return button;
  });
  place.replaceChildren(...buttons);
}
const names = ['black', 'red', 'orange', 'green', 'teal', 'blue', 'purple'];
const colours = [...COLOURS.map((colour, i) => [names[i], colour]), ['eraser', '#fff']];
offer($('colours'), colours, pen.colour, (colour) => {
  pen.colour = colour;
});
pen.width = WIDTHS.middle;
offer($('widths'), Object.entries(WIDTHS), pen.width, (width) => {
  pen.width = width;
});

const undo = () => connection.invoke('undo').catch(() => {});
$('undo').onclick = undo;
addEventListener('keydown', (event) => {
  if ($('hall').hidden || event.key !== 'z' || !(event.ctrlKey || event.metaKey)) return;
  event.preventDefault();
  undo();
});
$('wipe').onclick = () => $('sure').showModal();
$('sure').onclose = () => {
  if ($('sure').returnValue === 'yes') connection.invoke('wipe').catch(() => {});
  $('sure').returnValue = '';
};
$('save').onclick = async () => {
  const url = URL.createObjectURL(await pictureOf(Object.values(board.data)));
  Object.assign(document.createElement('a'), { href: url, download: `${$('room').value}.png` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
};
