import { HEIGHT, WIDTH } from './paper.js';

const IDLE_MS = 4000;
const MAX_POINTERS = 50;

/** Where the others point: a name that follows them, and goes when they rest. */
export class Pointers {
  #place;
  #known = new Map();

  constructor(place) {
    this.#place = place;
  }

  show(name, colour, x, y) {
    const known = this.#known.get(name);
    if (!known && this.#known.size >= MAX_POINTERS) return;
    const element = known?.element ?? this.#place.appendChild(document.createElement('span'));
    clearTimeout(known?.timer);
    const timer = setTimeout(() => {
      element.remove();
      this.#known.delete(name);
    }, IDLE_MS);
    this.#known.set(name, { element, timer });
    element.textContent = name;
    element.style.setProperty('--colour', colour);
    element.style.left = `${(x / WIDTH) * 100}%`;
    element.style.top = `${(y / HEIGHT) * 100}%`;
    // At the right edge the name is on the left.
    element.classList.toggle('left', x > WIDTH * 0.8);
  }
}
