/** What the benchmark's clients send and get back: a small object each. */
export interface Move {
  x: number;
  y: number;
  name: string;
}

/** The handler of the `calls` benchmark. It runs in the sandbox, and without one for the floor. */
export function move(to: Move) {
  return { x: to.x + 1, y: to.y + 1, name: to.name };
}
