import type { Registry } from '../apps/registry.ts';
import type { Owner, Placement } from './owner.ts';

/** This server owns them all. */
export function ownedHere(registry: Registry): Placement {
  const owner: Owner = {
    connect: (request, client) => registry.connect(request, client),
    carry(app, instance, stream, tap) {
      const live = registry.find(app, instance)?.streams.open(stream);
      if (!live) return undefined;
      live.tap(tap);
      return {
        get publication() {
          return live.publication;
        },
        end: () => live.untap(tap),
      };
    },
    originsOf: (app) => registry.originsOf(app),
  };
  return { ownerOf: () => owner };
}
