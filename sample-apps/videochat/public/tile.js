import { NetStream } from '/client.js';
import { attachCanvas } from '/low-latency.js';

/** What one person looks like in the room. */
class Tile {
  element = document.createElement('figure');
  #initial = document.createElement('b');
  #name = document.createElement('span');

  constructor(picture) {
    const caption = document.createElement('figcaption');
    caption.append(this.#name);
    this.element.append(this.#initial, picture, caption);
  }

  /** `person` as in the roster. */
  show({ name, camera, microphone, screen, speaking }, label = name) {
    const { classList, style } = this.element;
    style.setProperty('--hue', String(hueOf(name)));
    this.#initial.textContent = [...name][0]?.toUpperCase() ?? '';
    this.#name.textContent = screen ? `${label}: the screen` : label;
    classList.toggle('seen', camera || screen);
    classList.toggle('screen', screen);
    classList.toggle('muted', !microphone);
    classList.toggle('speaking', speaking);
  }
}

/** The page's own: no way round by the server. */
export class OwnTile extends Tile {
  #video;

  constructor() {
    const video = Object.assign(document.createElement('video'), { muted: true, autoplay: true });
    video.playsInline = true;
    super(video);
    this.element.classList.add('own');
    this.#video = video;
  }

  set pictures(stream) {
    this.#video.srcObject = stream;
  }
}

/** Somebody else: plays the stream of that name as soon as there is one. */
export class PlayedTile extends Tile {
  #stream;
  #player;

  /** `onStatus` hears what the player tells. */
  constructor(connection, name, onStatus) {
    const canvas = document.createElement('canvas');
    super(canvas);
    this.element.dataset.stream = name;
    this.#stream = new NetStream(connection);
    this.#stream.onStatus = onStatus;
    this.#player = attachCanvas(this.#stream, canvas);
    this.#stream.play(name);
  }

  /** In a click, after `NetStream.Play.AutoplayBlocked`. */
  resume() {
    return this.#player.resume();
  }

  close() {
    this.#player.close();
    this.#stream.close();
    this.element.remove();
  }
}

/** The same colour for the same name, for everybody. */
function hueOf(name) {
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  return hue;
}
