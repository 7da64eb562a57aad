import type { Registry } from '../apps/registry.ts';
import type { Owner, Placement } from './owner.ts';

/** This server owns them all. */
export function ownedHere(registry: Registry): Placement {
  const owner: Owner = {
    connect: (request, client) => registry.connect(request, client),
    carry(app, instance, stream, tap) {
      const streams = registry.find(app, instance)?.streams;
      const live = streams?.open(stream);
      live?.tap(tap);
      return {
        get publication() {
          return live?.publication ?? '';
        },
        get isOver() {
          return registry.find(app, instance)?.streams !== streams;
        },
        end: () => live?.untap(tap),
      };
    },
    originsOf: (app) => registry.originsOf(app),
  };
  return { ownerOf: () => owner };
}
