import { expect, test } from 'vitest';
import { classNameOf, TypedObject } from '../../wire/values.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const server = useServer({ classics: ['shapes'] });

const point = (x: number, y: number) => new TypedObject('Point', { x, y });
const square = (name?: string) =>
  new TypedObject('Polygon', {
    points: [point(0, 0), point(2, 0), point(2, 2), point(0, 2)],
    ...(name !== undefined && { name }),
  });

for (const objectEncoding of [0, 3] as const) {
  test(`typed objects become instances of registered classes and leave as such (AMF${objectEncoding})`, async () => {
    const client = await connect(`${server.rtmp}/shapes/amf${objectEncoding}`, { objectEncoding });
    expect(await client.call('add', square('box'))).toBe('box of 4');
    expect(await client.call('add', square())).toBe('polygon of 4');
    expect(await client.call('add', { points: [] })).toBe('not a shape but object');
    expect(await client.call('initialized')).toBe(2);
    expect(await client.call('constructors')).toEqual(['Polygon', 'Polygon']);

    const [drawn, area] = client.callsOf('drawn')[0]!;
    expect(classNameOf(drawn as object)).toBe('Polygon');
    expect(area).toBe(4);
    expect(drawn).toMatchObject({ name: 'box', corners: 4 });

    const moved = (await client.call('move', 0, point(10, 5))) as { points: object[] };
    expect(moved).toMatchObject({
      points: [
        { x: 10, y: 5 },
        { x: 12, y: 5 },
        { x: 12, y: 7 },
        { x: 10, y: 7 },
      ],
    });
    expect(moved.points.map((each) => classNameOf(each))).toEqual(['Point', 'Point', 'Point', 'Point']);

    await client.call('forget');
    expect(await client.call('add', square())).toBe('not a shape but object');
  });
}
