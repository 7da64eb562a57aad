import { NetConnection, NetStream, SharedObject } from '/client.js';
import { OwnMedia, whyNot } from './own-media.js';
import { OwnTile, PlayedTile } from './tile.js';

const $ = (id) => document.getElementById(id);
const MAX_NOTICES = 4;

const connection = new NetConnection();
const people = SharedObject.getRemote('people', connection);
const stream = new NetStream(connection);
const own = new OwnMedia(stream, showOwn, (isSpeaking) => tell('speak', isSpeaking));
const ownTile = new OwnTile();
/** Of the others, by the names of their streams. */
const tiles = new Map();
/** This page's, whatever becomes of its connection: so the server knows that it is back. */
const key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16)).join('-');
let me = '';
/** The name of our stream; each connection has its own. */
let id = '';

connection.onStatus = ({ code, description }) => {
  switch (code) {
    case 'NetConnection.Connect.Success':
      $('state').textContent = '';
      return void begin();
    case 'NetConnection.Connect.Closed':
      id = '';
      own.pause();
      if (!$('hall').hidden) $('state').textContent = 'connecting again …';
      return;
    case 'NetConnection.Connect.Rejected':
      leave(reasonOf(description));
  }
};
stream.onStatus = ({ code, description }) => {
  if (code === 'NetStream.Publish.Failed' || code === 'NetStream.Publish.BadName') {
    notice('publish', `Others do not see and hear you: ${description}`);
    own.close();
  }
};

/** With each connection. */
async function begin() {
  try {
    id = await connection.invoke('me');
  } catch {
    return; // the connection is lost again
  }
  own.publish(id);
  tell('show', own.shown);
  showPeople();
}

function tell(method, ...args) {
  if (id !== '') connection.invoke(method, ...args).catch(() => {});
}

people.onSync = showPeople;

function showPeople() {
  // Before we know which of them we are, nobody comes or goes.
  if (id === '' || !(id in people.data)) return;
  for (const [name, tile] of tiles) {
    if (name in people.data) continue;
    tile.close();
    tiles.delete(name);
  }
  for (const [name, person] of Object.entries(people.data)) {
    if (name === id) continue;
    if (!tiles.has(name)) {
      const tile = new PlayedTile(connection, name, (info) => heard(name, info));
      tiles.set(name, tile);
      $('tiles').append(tile.element);
    }
    tiles.get(name).show(person);
  }
  ownTile.show({ ...people.data[id], ...own.shown }, `${me} (you)`);
  const count = tiles.size + 1;
  arrange('wide', count, count <= 2 ? count : count <= 4 ? 2 : count <= 6 ? 3 : 4);
  arrange('narrow', count, count <= 2 ? 1 : 2);
  $('count').textContent = count === 1 ? 'nobody else is here' : `${count} are here`;
}

/** How many tiles are side by side, and so how many below one another. */
function arrange(window, count, columns) {
  const { style } = $('tiles');
  style.setProperty(`--${window}-columns`, String(columns));
  style.setProperty(`--${window}-rows`, String(Math.ceil(count / columns)));
}

function heard(name, { code, description }) {
  const who = people.data[name]?.name ?? 'somebody';
  if (code === 'NetStream.Play.NoSupportedTrackFound' || code === 'NetStream.Play.Failed')
    notice(`play-${name}`, `${who}: ${description}`);
  if (code === 'NetStream.Play.AutoplayBlocked')
    notice('blocked', 'The browser plays no sound before you click.', 'Let me hear', () => {
      for (const tile of tiles.values()) tile.resume();
    });
}

function showOwn({ camera, microphone, screen }) {
  for (const [name, isOn] of Object.entries({ camera, microphone, screen }))
    $(name).setAttribute('aria-pressed', String(isOn));
  ownTile.pictures = own.pictures;
  tell('show', { camera, microphone, screen });
  showPeople();
}

/** One of each kind; a click makes it go. */
function notice(kind, text, label = 'OK', act = () => {}) {
  const bar = document.createElement('p');
  bar.dataset.kind = kind;
  const button = Object.assign(document.createElement('button'), { type: 'button', textContent: label });
  button.onclick = () => {
    act();
    bar.remove();
  };
  bar.append(text, button);
  $('notices')
    .querySelector(`[data-kind="${CSS.escape(kind)}"]`)
    ?.remove();
  $('notices').append(bar);
  if ($('notices').children.length > MAX_NOTICES) $('notices').firstChild.remove();
}

/** Switches something on or off; what the browser refuses is said. */
async function turn(what, isOn) {
  $(what).disabled = true;
  try {
    if (what === 'camera') await own.setCamera(isOn);
    else if (what === 'microphone') await own.setMicrophone(isOn);
    else await own.setScreen(isOn);
  } catch (error) {
    // Who closes the browser's list of screens has decided: that is no fault.
    if (what !== 'screen' || error.name !== 'NotAllowedError') notice(what, whyNot(error, what));
    showOwn(own.shown);
  } finally {
    $(what).disabled = false;
  }
}
for (const what of ['camera', 'microphone', 'screen'])
  $(what).onclick = () => turn(what, $(what).getAttribute('aria-pressed') !== 'true');
if (!navigator.mediaDevices?.getDisplayMedia) $('screen').hidden = true;

$('leave').onclick = () => leave();

function leave(reason = '') {
  connection.close();
  own.close();
  for (const tile of tiles.values()) tile.close();
  tiles.clear();
  $('tiles').replaceChildren();
  $('notices').replaceChildren();
  $('hall').hidden = true;
  $('door').hidden = false;
  $('reason').textContent = reason;
}

$('room').value = decodeURIComponent(location.hash.slice(1)) || 'lounge';
$('name').value = sessionStorage.getItem('name') ?? '';
if (!isSecureContext)
  $('reason').textContent = 'Browsers give cameras to pages of https:// and of this machine only.';
$('door').onsubmit = async (event) => {
  event.preventDefault();
  me = $('name').value.trim();
  const room = $('room').value;
  $('reason').textContent = '';
  try {
    await connection.connect(`/videochat/${room}`, me, key);
  } catch (error) {
    $('reason').textContent = error.info ? reasonOf(error.info.description) : error.message;
    return;
  }
  sessionStorage.setItem('name', me);
  location.hash = room;
  document.title = $('title').textContent = `# ${room}`;
  $('door').hidden = true;
  $('hall').hidden = false;
  $('tiles').replaceChildren(ownTile.element);
  showOwn(own.shown);
  const wanted = { camera: $('with-camera').checked, microphone: $('with-microphone').checked };
  for (const [error, what] of await own.begin(wanted)) notice(what, whyNot(error, what));
};

/** What the application said, without what the server puts in front of it. */
function reasonOf(description) {
  return description.replace(/^\[.*?\] : (\(.*?\) : )?/, '');
}
