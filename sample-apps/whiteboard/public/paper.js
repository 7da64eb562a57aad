/** The board, as the script has it; a window shows it as large as it can. */
export const WIDTH = 1600;
export const HEIGHT = 1200;

/** Two canvases, one above the other: what is kept, and what is being drawn. Sharp on every screen. */
export class Paper {
  #sheet;
  #kept;
  #fresh;
  #onResize;

  /** `onResize`: both are empty, and want to be drawn again. */
  constructor(sheet, kept, fresh, onResize) {
    this.#sheet = sheet;
    this.#kept = kept.getContext('2d');
    this.#fresh = fresh.getContext('2d');
    this.#onResize = onResize;
    const observer = new ResizeObserver(() => this.#fit());
    try {
      // Hears, too, of a window that is zoomed, or moved to another screen.
      observer.observe(sheet.parentElement, { box: 'device-pixel-content-box' });
    } catch {
      observer.observe(sheet.parentElement);
    }
  }

  /** The point of the board under a pointer. */
  pointAt({ clientX, clientY }) {
    const { left, top, width, height } = this.#sheet.getBoundingClientRect();
    const x = ((clientX - left) / width) * WIDTH;
    const y = ((clientY - top) / height) * HEIGHT;
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most) * 10) / 10;
    return { x: within(x, WIDTH), y: within(y, HEIGHT) };
  }

  addKept(stroke) {
    draw(this.#kept, stroke);
  }

  showKept(strokes) {
    show(this.#kept, strokes);
  }

  showFresh(strokes) {
    show(this.#fresh, strokes);
  }

  #fit() {
    const { clientWidth, clientHeight } = this.#sheet.parentElement;
    const scale = Math.min(clientWidth / WIDTH, clientHeight / HEIGHT);
    if (scale <= 0) return;
    this.#sheet.style.width = `${WIDTH * scale}px`;
    this.#sheet.style.height = `${HEIGHT * scale}px`;
    for (const context of [this.#kept, this.#fresh]) {
      context.canvas.width = Math.round(WIDTH * scale * devicePixelRatio);
      context.canvas.height = Math.round(HEIGHT * scale * devicePixelRatio);
    }
    this.#onResize();
  }
}

/** A picture of the whole board. */
export function pictureOf(strokes) {
  const canvas = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  for (const stroke of strokes) draw(context, stroke);
  return new Promise((done) => canvas.toBlob(done));
}

function show(context, strokes) {
  context.resetTransform();
  context.clearRect(0, 0, context.canvas.width, context.canvas.height);
  for (const stroke of strokes) draw(context, stroke);
}

/** A line that goes smoothly past its points. */
function draw(context, { colour, width = 4, points }) {
  const scale = context.canvas.width / WIDTH;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.lineCap = context.lineJoin = 'round';
  const [first] = points;
  context.beginPath();
  context.moveTo(first.x, first.y);
  for (let i = 1; i < points.length - 1; i++) {
    const { x, y } = points[i];
    const next = points[i + 1];
    context.quadraticCurveTo(x, y, (x + next.x) / 2, (y + next.y) / 2);
  }
  const last = points.at(-1);
  context.lineTo(last.x, last.y); // of a single point this makes a dot
  context.stroke();
}
