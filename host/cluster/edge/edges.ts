import type { EdgeReport } from '../../web/api.ts';

export interface KnownEdge {
  readonly run: string;
  readonly report: EdgeReport;
  isAlive(withinMs: number): Promise<boolean>;
  replaced(): void;
}

/** How long an edge has to show that it is there when another comes under its name. */
const ALIVE_MS = 2000;

/** Which edges are connected, by name. */
export class Edges {
  readonly #edges = new Map<string, KnownEdge>();

  get reports(): EdgeReport[] {
    return [...this.#edges.values()].map(({ report }) => report);
  }

  /** Undefined when the edge may come in; else why not. The same process may take its own place, and anybody that of one that is gone. */
  async admit(name: string, edge: KnownEdge): Promise<string | undefined> {
    const present = this.#edges.get(name);
    if (present && present.run !== edge.run && (await present.isAlive(ALIVE_MS)))
      return `an edge named "${name}" is connected already, from ${present.report.address}: give this one another name (--edge-name)`;
    const other = this.#edges.get(name);
    // Another may have come meanwhile.
    if (other !== present) return `another edge named "${name}" has just come`;
    other?.replaced();
    this.#edges.set(name, edge);
    return undefined;
  }

  leave(name: string, edge: KnownEdge): void {
    if (this.#edges.get(name) === edge) this.#edges.delete(name);
  }
}
