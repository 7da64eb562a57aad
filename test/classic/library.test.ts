import { expect, test } from 'vitest';
import { TypedObject } from '../../wire/values.ts';
import { connect, connectRefused } from '../support/rtmp-client.ts';
import { useServer } from '../support/server.ts';

const get = 'Client.prototype.get = function (text) { return eval(text); };';
const server = useServer({
  apps: {
    components: {
      'main.asc': `
        load("components.asc");
        load("poll.asc");
        log = [];
        application.onAppStart = function () {
          log.push("onAppStart");
          gFrameworkFC.addApplicationListener({
            onConnectAccept: function (c, name) { log.push("listener accepts " + name); },
            onConnectReject: function (c, name) { log.push("listener rejects " + name); throw new Error("ignored"); },
            onDisconnect: function (c) { log.push("listener loses " + gFrameworkFC.getClientGlobal(c, "username")); }
          });
          application.onDisconnect = function (c) { log.push("application loses " + c.username); };
        };
        application.onConnect = function (client, name) {
          client.username = name;
          gFrameworkFC.setClientGlobal(client, "username", name);
          log.push("onConnect " + name + " of " + application.clients.length);
          if (name == "returns") return true;
          if (name == "refused") { application.rejectConnection(client, { why: "not you" }); return; }
          application.acceptConnection(client);
        };
        application.onConnectAccept = function (client, name) { log.push("application accepts " + name + " of " + application.clients.length); };
        application.onConnectReject = function (client, name) { log.push("application rejects " + name); };
        ${get}`,
      'poll.asc': `
        function FCPoll(name) { this.init(name); this.votes = {}; }
        FCPoll.prototype = new FCComponent("FCPoll");
        FCPoll.prototype.onConnectAccept = function (client) { log.push(this.prefix + "accepts"); };
        FCPoll.prototype.vote = function (client, choice) {
          this.votes[this.getClientGlobal(client, "username")] = choice;
          this.callAll("voted", this.getClientID(client), choice);
          return this.votes;
        };
        FCPoll.prototype._hidden = function () { return "reached"; };`,
    },
    remoting: {
      'main.asc': `
        load("netservices.asc");
        calls = []; told = [];
        // What is sent where; over HTTP see gateway.test.ts.
        NetConnection = function () {};
        NetConnection.prototype.connect = function (url) { this.url = url; };
        NetConnection.prototype.call = function (method, responder) {
          calls.push([this.url, method].concat(Array.prototype.slice.call(arguments, 2)));
          this.responder = responder;
        };
        application.onAppStart = function () {
          none = NetServices.createGatewayConnection();
          NetServices.setDefaultGatewayUrl("http://127.0.0.1/gateway");
          gateway = NetServices.createGatewayConnection();
          mine = { add_Result: function (r) { told.push(["add_Result", r]); }, onResult: function (r) { told.push(["onResult", r]); },
            add_Status: function (e) { told.push(["add_Status", e.code]); }, onStatus: function (e) { told.push(["onStatus", e.code]); } };
          service = gateway.getService("math.Calculator", mine);
        };
        ${get}
        Client.prototype.run = function () {
          told = [];
          service.add(1, 2); gateway.responder.onResult(3); gateway.responder.onStatus({ code: "bad" });
          service.sub(1, 2); gateway.responder.onResult(-1); gateway.responder.onStatus({ code: "worse" });
          var other = gateway.getService("math.Calculator");
          other.mul({ onResult: function (r) { told.push(["own", r]); } }, 2, 3); gateway.responder.onResult(6);
          NetServices.onStatus = function (e) { told.push(["global", e.code]); };
          other.div(1, 0); gateway.responder.onStatus({ code: "zero" });
          return told;
        };
        Client.prototype.rows = function (rows) {
          var odd = rows.filter(function (row, by) { return row.id % by; }, 2);
          rows.sortItemsBy("name", "DESC");
          return [rows instanceof RecordSet, rows.getLength(), rows.getColumnNames(), rows.getItemAt(0), rows.getItemAt(9), odd.getLength(), rows.items];
        };`,
    },
  },
});

test('components.asc: a verdict runs onConnectAccept or onConnectReject of all who listen', async () => {
  const url = `${server.rtmp}/components/verdicts`;
  const ann = await connect(url, { args: ['ann'] });
  const bob = await connect(url, { args: ['returns'] });
  expect(await connectRefused(url, { args: ['refused'] })).toMatchObject({ application: { why: 'not you' } });
  await bob.close();
  let log: string[] = [];
  while (log.length < 12) log = (await ann.call('get', 'log')) as string[];
  expect(log).toEqual([
    'onAppStart',
    'onConnect ann of 0',
    'listener accepts ann',
    'application accepts ann of 1',
    'onConnect returns of 1',
    'listener accepts returns',
    'application accepts returns of 2',
    'onConnect refused of 2',
    'listener rejects refused',
    'application rejects refused',
    'listener loses returns',
    'application loses returns',
  ]);
});

test('components.asc: calls reach a component by class, instance and method, and make the instance', async () => {
  const url = `${server.rtmp}/components/paths`;
  const ann = await connect(url, { args: ['ann'] });
  const bob = await connect(url, { args: ['bob'] });
  expect(await ann.call('FCPoll.main.vote', 'yes')).toEqual({ ann: 'yes' });
  expect(await bob.call('FCPoll/main/vote', 'no')).toEqual({ ann: 'yes', bob: 'no' });
  expect(await bob.call('FCPoll.other.vote', 'no')).toEqual({ bob: 'no' });
  expect((await ann.waitForCall('FCPoll/main/voted')).args).toEqual([1, 'yes']);
  await ann.settled();
  expect(ann.callsOf('FCPoll/main/voted')[1]).toEqual([2, 'no']);
  const cid = await connect(url, { args: ['cid'] });
  expect(await cid.call('get', 'log.filter(function (line) { return /^FCPoll/.test(line); })')).toEqual([
    'FCPoll.main.accepts',
    'FCPoll.other.accepts',
  ]);
  for (const path of [
    '_hidden',
    'init',
    'onConnectAccept',
    'constructor',
    'release',
    'toString',
    'nothing',
  ]) {
    expect(await cid.callFails(`FCPoll.main.${path}`)).toMatchObject({ code: 'NetConnection.Call.Failed' });
  }
  await cid.call('get', 'gFrameworkFC.MAX_COMPONENTS = 3; 0');
  expect(await cid.call('FCPoll.third.vote', 1)).toEqual({ cid: 1 });
  expect(await cid.callFails('FCPoll.fourth.vote', 1)).toMatchObject({
    description: 'Method not found (FCPoll.fourth.vote).',
  });
});

test('netservices.asc: services call through the gateway, and results find who takes them', async () => {
  const client = await connect(`${server.rtmp}/remoting`);
  expect(await client.call('run')).toEqual([
    ['add_Result', 3],
    ['add_Status', 'bad'],
    ['onResult', -1],
    ['onStatus', 'worse'],
    ['own', 6],
    ['global', 'zero'],
  ]);
  expect(await client.call('get', 'calls')).toEqual([
    ['http://127.0.0.1/gateway', 'math.Calculator.add', 1, 2],
    ['http://127.0.0.1/gateway', 'math.Calculator.sub', 1, 2],
    ['http://127.0.0.1/gateway', 'math.Calculator.mul', 2, 3],
    ['http://127.0.0.1/gateway', 'math.Calculator.div', 1, 0],
  ]);
  expect(await client.call('get', 'typeof none')).toBe('undefined');
});

test('netservices.asc: the rows of a query arrive as a RecordSet', async () => {
  const client = await connect(`${server.rtmp}/remoting`);
  const serverInfo = {
    columnNames: ['id', 'name'],
    initialData: [
      [1, 'ann'],
      [2, 'bob'],
    ],
    totalCount: 2,
  };
  expect(await client.call('rows', new TypedObject('RecordSet', { serverInfo }))).toEqual([
    true,
    2,
    ['id', 'name'],
    { id: 2, name: 'bob' },
    null,
    1,
    [
      { id: 2, name: 'bob' },
      { id: 1, name: 'ann' },
    ],
  ]);
});
