import { NetConnection } from '/client.js';

const $ = (id) => document.getElementById(id);
const MAX_LINES = 500;

const connection = new NetConnection();
let me = '';
/** Who is spoken to; empty for everybody. */
let to = '';

// What the room calls.
connection.client = {
  heard: (name, text) => addLine(name, text),
  whispered: (name, text) => addLine(name, text, 'whisper'),
  joined: (name) => notice(`${name} has come`),
  left(name) {
    notice(`${name} has gone`);
    if (to === name) speakTo('');
  },
};

connection.onStatus = ({ code }) => {
  if (code === 'NetConnection.Connect.Closed') $('state').textContent = 'connecting again …';
  if (code === 'NetConnection.Connect.Success') {
    $('state').textContent = '';
    showPeople();
  }
  if (code === 'NetConnection.Connect.Rejected') leave();
};

$('room').value = decodeURIComponent(location.hash.slice(1)) || 'lobby';
$('name').value = sessionStorage.getItem('name') ?? '';

$('door').onsubmit = async (event) => {
  event.preventDefault();
  me = $('name').value.trim();
  const room = $('room').value;
  $('reason').textContent = '';
  try {
    await connection.connect(`/chat/${room}`, me);
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
  $('text').focus();
};

$('say').onsubmit = async (event) => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (text === '') return;
  try {
    if (to === '') await connection.invoke('say', text);
    else if (await connection.invoke('whisper', to, text)) addLine(me, text, 'whisper', `to ${to}`);
    else return notice(`${to} is not here`);
    $('text').value = '';
  } catch (error) {
    notice(error.info?.description ?? error.message);
  }
};

$('to').onclick = () => speakTo('');

function leave() {
  $('hall').hidden = true;
  $('door').hidden = false;
}

function speakTo(name) {
  to = name;
  $('to').hidden = name === '';
  $('to').textContent = `to ${name} ✕`;
  $('text').placeholder = name === '' ? 'Say something' : `Whisper to ${name}`;
  $('text').focus();
}

async function showPeople() {
  const names = await connection.invoke('who').catch(() => []);
  const items = names.map((name) => {
    const button = document.createElement('button');
    button.textContent = name;
    button.title = name === me ? 'That is you' : `Whisper to ${name}`;
    button.disabled = name === me;
    button.onclick = () => speakTo(name);
    const item = document.createElement('li');
    item.append(button);
    return item;
  });
  $('people').replaceChildren(...items);
}

function notice(text) {
  append(text, 'notice');
  showPeople();
}

function addLine(name, text, kind = '', from = name) {
  const item = append(text, kind);
  const who = document.createElement('b');
  who.textContent = from;
  item.style.setProperty('--hue', String(hueOf(name)));
  item.classList.toggle('mine', name === me);
  item.prepend(who);
}

function append(text, kind) {
  const lines = $('lines');
  const isAtEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
  const item = document.createElement('li');
  item.className = kind;
  item.append(text);
  lines.append(item);
  if (lines.children.length > MAX_LINES) lines.firstChild.remove();
  if (isAtEnd) item.scrollIntoView({ block: 'end' });
  return item;
}

/** The same colour for the same name, for everybody. */
function hueOf(name) {
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  return hue;
}
