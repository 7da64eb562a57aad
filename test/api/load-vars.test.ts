import { afterAll, expect, test } from 'vitest';
import type { AmfValue } from '../../wire/values.ts';
import { connect } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';
import { openSite } from '../support/site.ts';

/** Rows of the API checklist on LoadVars. */
const site = await openSite({
  '/vars': { text: 'user=J%C3%BCrg+M&count=3&empty=&ready&onLoad=no+function&%61=z' },
  '/gone': { status: 410, text: 'x=1' },
});
afterAll(() => site.close());

const server = useServer({
  apps: {
    vars: {
      'main.asc': `
        statuses = [];
        application.onStatus = function (info) { statuses.push(info.description); };
        Client.prototype.run = function (code, url) { return new Function("client", "url", code)(this, url); };
        Client.prototype.heard = function () { return statuses; };`,
      'app.json': JSON.stringify({ fetch: { hosts: [site.host] }, limits: { fetchBytes: 2000 } }),
    },
  },
});

/** Runs code that calls `done` with what is to be compared. */
async function run(code: string, instance = 'room'): Promise<AmfValue> {
  const client = await connect(`${server.rtmp}/vars/${instance}`);
  return client.call(
    'run',
    `var v = new LoadVars(); return new Promise(function (done) { ${code} });`,
    site.url,
  );
}

const asked = (path: string) => site.seen.filter(({ url }) => url.startsWith(path));

test('LV-01: new LoadVars() has no variables', async () => {
  expect(
    await run(
      'var names = []; for (var i in v) names.push(i); done([v instanceof LoadVars, names, String(v)]);',
    ),
  ).toEqual([true, [], '']);
});

test('LV-02: contentType is sent with what is posted', async () => {
  expect(await run('done(v.contentType);')).toBe('application/x-www-form-urlencoded');
  await run('v.a = 1; v.contentType = "text/plain"; v.onLoad = done; v.sendAndLoad(url + "/type", v);');
  expect(asked('/type')).toMatchObject([{ headers: { 'content-type': 'text/plain' }, body: 'a=1' }]);
});

test('LV-03: loaded is undefined, then false, then true', async () => {
  expect(
    await run(
      'var seen = [v.loaded]; v.onLoad = function () { done(seen.concat([v.loaded])); }; v.load(url + "/vars"); seen.push(v.loaded);',
    ),
  ).toEqual([undefined, false, true]);
});

test('LV-04: addRequestHeader(name, value) and (list) send headers', async () => {
  await run(
    'v.addRequestHeader("X-One", "1"); v.addRequestHeader(["X-Two", "2", "X-Three", 3]); v.onLoad = done; v.load(url + "/headers");',
  );
  expect(asked('/headers')).toMatchObject([{ headers: { 'x-one': '1', 'x-two': '2', 'x-three': '3' } }]);
  expect(await run('try { v.addRequestHeader({}, 1); } catch (e) { done(String(e)); }')).toBe(
    'TypeError: LoadVars.addRequestHeader: expected the name of a header and a text, got an object and 1',
  );
});

test('LV-05: decode(text) makes properties of a query string', async () => {
  expect(
    await run(
      'v.decode("a=1&b=x%20y+z&%C3%BC=%E2%82%AC&c&=d&bad=%zz%4&__proto__=p&a=2"); done([v.a, v.b, v["\u00fc"], v.c, v[""], v.bad, Object.keys(v).indexOf("__proto__") >= 0, v instanceof LoadVars]);',
    ),
  ).toEqual(['2', 'x y z', '\u20ac', '', 'd', '%zz%4', true, true]);
  expect(await run('try { v.decode(7); } catch (e) { done(String(e)); }')).toBe(
    'TypeError: LoadVars.decode: expected a text such as "a=1&b=2", got 7',
  );
});

test('LV-06: getBytesLoaded() is undefined before the answer', async () => {
  expect(
    await run(
      'var seen = [v.getBytesLoaded()]; v.onData = function () { done(seen.concat([v.getBytesLoaded()])); }; v.load(url + "/vars");',
    ),
  ).toEqual([undefined, 62]);
});

test('LV-07: getBytesTotal() is the size of the answer', async () => {
  expect(
    await run(
      'v.onData = function (text) { done([v.getBytesTotal(), text.length]); }; v.load(url + "/vars");',
    ),
  ).toEqual([62, 62]);
});

test('LV-08: load(url) gets variables', async () => {
  expect(
    await run(
      'v.onLoad = function (ok) { done([ok, v.user, v.count, v.empty, v.ready, v.a]); }; if (v.load(url + "/vars") !== true) done("no");',
    ),
  ).toEqual([true, 'J\u00fcrg M', '3', '', '', 'z']);
  expect(asked('/vars').at(-1)?.method).toBe('GET');
  expect(await run('try { v.load(null); } catch (e) { done(String(e)); }')).toBe(
    'TypeError: LoadVars.load: expected a URL as text, got null',
  );
});

test('LV-09: send(url, target, method) posts the variables, or has them in the address', async () => {
  expect(
    await run(
      'v.a = "x y"; v.b = 2; done([v.send(url + "/send"), v.send(url + "/send?q=1", "_blank", "GET")]);',
    ),
  ).toEqual([true, true]);
  await expect.poll(() => asked('/send').length).toBe(2);
  const [post, get] = asked('/send').sort((x, y) => y.method.localeCompare(x.method));
  expect(post).toMatchObject({ method: 'POST', body: 'a=x%20y&b=2', url: '/send' });
  expect(get).toMatchObject({ method: 'GET', body: '', url: '/send?q=1&a=x%20y&b=2' });
});

test('LV-10: sendAndLoad(url, target, method) gives the answer to the target', async () => {
  expect(
    await run(
      'var to = new LoadVars(); v.key = "k"; to.onLoad = function (ok) { done([ok, to.count, v.count]); }; v.sendAndLoad(url + "/vars", to, "POST");',
    ),
  ).toEqual([true, '3', undefined]);
  expect(asked('/vars').at(-1)).toMatchObject({ method: 'POST', body: 'key=k' });
  expect(await run('try { v.sendAndLoad(url, "x"); } catch (e) { done(String(e)); }')).toBe(
    'TypeError: LoadVars.sendAndLoad: expected an object that takes the answer, got "x"',
  );
  expect(await run('try { v.sendAndLoad(url, v, "PUT"); } catch (e) { done(String(e)); }')).toBe(
    'TypeError: LoadVars.sendAndLoad: expected "GET" or "POST" as method, got "PUT"',
  );
});

test('LV-11: toString() is the variables, encoded', async () => {
  expect(
    await run(
      'v.name = "J\u00fcrg & Co"; v.n = 1.5; v["a b"] = true; v.onLoad = function () {}; v.contentType = "x"; done(String(v));',
    ),
  ).toBe('name=J%C3%BCrg%20%26%20Co&n=1.5&a%20b=true');
});

test('LV-12: onData(text) has the raw text, undefined when there is none; the default decodes and calls onLoad', async () => {
  expect(
    await run(
      'v.onData = function (text) { done([text.substring(0, 5), this === v, v.user]); }; v.load(url + "/vars");',
    ),
  ).toEqual(['user=', true, undefined]);
  expect(await run('v.onData = function (text) { done([text]); }; v.load(url + "/gone");')).toEqual([
    undefined,
  ]);
  expect(await run('v.onLoad = function (ok) { done([ok, v.user]); }; v.onData("user=ann");')).toEqual([
    true,
    'ann',
  ]);
});

test('LV-13: onHTTPStatus(code) comes before onLoad, 0 when there is no answer', async () => {
  const code = (url: string) =>
    `var seen = []; v.onHTTPStatus = function (code) { seen.push(code); }; v.onLoad = function (ok) { done(seen.concat([ok, v.loaded])); }; v.load(${url});`;
  expect(await run(code('url + "/vars"'))).toEqual([200, true, true]);
  expect(await run(code('url + "/gone"'))).toEqual([410, false, false]);
  expect(await run(code('"http://example.com/"'), 'denied')).toEqual([0, false, false]);
  const client = await connect(`${server.rtmp}/vars/denied`);
  await expect.poll(() => client.call('heard')).toEqual([expect.stringContaining('fetch.hosts')]);
});

test('LV-14: onLoad(success) says whether there are variables', async () => {
  expect(await run('v.onLoad = function (ok) { done([ok, this === v]); }; v.load(url + "/vars");')).toEqual([
    true,
    true,
  ]);
  expect(await run('v.onLoad = function (ok) { done([ok, v.x]); }; v.load(url + "/gone");')).toEqual([
    false,
    undefined,
  ]);
  expect(
    await run(
      'v.big = Array(3000).join("x"); v.onLoad = function (ok) { done(ok); }; v.sendAndLoad(url + "/big", v);',
      'big',
    ),
  ).toBe(false);
});
