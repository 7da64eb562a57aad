import { NetConnection, NetStream } from '/client.js';
import { attachVideo } from '/media.js';

const $ = (id) => document.getElementById(id);
const name = decodeURIComponent(location.hash.slice(1)) || 'demo';
const key = name === 'demo' ? '?key=stage-door' : '?key=...';
const command = `ffmpeg -re -i clip.mp4 -c copy -f flv "rtmp://${location.hostname}/live/${name}${key}"`;

$('name').textContent = $('stream').value = document.title = name;
$('other').onsubmit = (event) => {
  event.preventDefault();
  location.hash = $('stream').value;
};
addEventListener('hashchange', () => location.reload());

const connection = new NetConnection();
const stream = new NetStream(connection);
const player = attachVideo(stream, $('video'));

const states = {
  'NetConnection.Connect.Success': ['waiting', 'Nobody publishes it yet.'],
  'NetConnection.Connect.Closed': ['connecting again', 'The server is not there.'],
  'NetStream.Play.PublishNotify': ['live', ''],
  'NetStream.Play.UnpublishNotify': ['off air', 'It is over. This page waits for the next.'],
  'NetStream.Play.NoSupportedTrackFound': ['cannot play', ''],
};

function show([state, hint]) {
  $('state').textContent = state;
  $('state').classList.toggle('on', state === 'live');
  $('hint').hidden = hint === '';
  $('hint').textContent = hint;
  if (state === 'waiting')
    $('hint').append(Object.assign(document.createElement('code'), { textContent: command }));
}

function heard({ code, description }) {
  if (code === 'NetStream.Play.NoSupportedTrackFound') show(['cannot play', description]);
  else if (states[code]) show(states[code]);
}
connection.onStatus = heard;
stream.onStatus = heard;

// The first picture says that somebody publishes, also to who came late.
$('video').onplaying = () => {
  show(['live', '']);
  $('sound').hidden = !$('video').muted;
};
$('sound').onclick = () => {
  $('video').muted = false;
  $('sound').hidden = true;
};
setInterval(() => {
  const { delayMs } = player.stats;
  $('delay').textContent = delayMs > 0 ? `${Math.round(delayMs)} ms` : '';
}, 500);

show(['connecting', '']);
await connection.connect('/live').catch((error) => show(['refused', error.message]));
stream.play(name);
