/** As the script bounds them. */
const MAX_POINTS = 500;
/** What is nearer to the point before is left out. */
const LEAST_STEP = 2.5;
const TELL_MS = 50;

/**
 * Makes strokes of pointers: mouse, pen, and as many fingers as there are. `tell` hears every so often what a stroke has got
 * since, `keep` the whole stroke when it has ended.
 */
export class Pen {
  colour = '#222';
  width = 4;
  /** What is being drawn, by pointer. */
  #strokes = new Map();
  #paper;
  #owner;

  constructor(canvas, paper, owner) {
    this.#paper = paper;
    this.#owner = owner;
    canvas.onpointerdown = (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.#begin(event.pointerId, paper.pointAt(event));
    };
    canvas.onpointermove = (event) => this.#move(event);
    canvas.onpointerup = canvas.onpointercancel = ({ pointerId }) => this.#end(pointerId);
    setInterval(() => this.#tell(), TELL_MS);
  }

  get strokes() {
    return this.#strokes.values();
  }

  #begin(pointerId, point) {
    const { colour, width } = this;
    const name = this.#owner.newName();
    const stroke = { name, colour, width, points: [point], told: 0 };
    this.#strokes.set(pointerId, stroke);
    this.#owner.changed();
    return stroke;
  }

  #move(event) {
    let stroke = this.#strokes.get(event.pointerId);
    if (!stroke) return;
    // The browser gathers what came since the last picture.
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length > 0 ? events : [event]) {
      const point = this.#paper.pointAt(each);
      const last = stroke.points.at(-1);
      if (Math.hypot(point.x - last.x, point.y - last.y) < LEAST_STEP) continue;
      stroke.points.push(point);
      if (stroke.points.length < MAX_POINTS) continue;
      // It goes on as another one.
      this.#end(event.pointerId);
      stroke = this.#begin(event.pointerId, point);
    }
    this.#owner.changed();
  }

  #end(pointerId) {
    const stroke = this.#strokes.get(pointerId);
    if (!stroke) return;
    this.#strokes.delete(pointerId);
    const { name, colour, width, points } = stroke;
    this.#owner.keep(name, { colour, width, points });
    this.#owner.changed();
  }

  #tell() {
    for (const stroke of this.#strokes.values()) {
      const points = stroke.points.slice(stroke.told);
      if (points.length === 0) continue;
      stroke.told = stroke.points.length;
      this.#owner.tell(stroke, points);
    }
  }
}
