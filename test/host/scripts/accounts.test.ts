import { expect, test } from 'vitest';
import { CoreAccounts, CpuAccount } from '../../../host/scripts/accounts.ts';

const used = (isolatesMs: number, mainMs = 0) => ({ allMs: isolatesMs + mainMs, mainMs });

test("what V8 counted is scaled to what the core's threads used, by share", () => {
  const core = new CoreAccounts();
  const [a, b] = [new CpuAccount(core), new CpuAccount(core)];
  core.settle(used(100, 50));
  a.add(9_000_000);
  b.add(3_000_000); // 12 s by V8's count
  core.settle(used(4100, 550)); // 4 s by the operating system's, the core's main thread apart
  expect([a.cpuMs, b.cpuMs]).toEqual([3000, 1000]);
});

test("what the core's first thread has answered counts for those who asked", () => {
  const core = new CoreAccounts();
  const [a, b] = [new CpuAccount(core), new CpuAccount(core)];
  core.settle(used(0));
  a.add(1_000_000, 900_000);
  b.add(1_000_000);
  core.settle(used(1100, 950)); // a's own tenth, and b
  expect([a.cpuMs, b.cpuMs]).toEqual([1000, 1000]);
  a.add(1_000_000);
  core.settle(used(2100, 950));
  expect(a.cpuMs).toBe(2000);
});

test('until the next settlement the last scale holds', () => {
  const core = new CoreAccounts();
  const account = new CpuAccount(core);
  core.settle(used(0));
  expect(account.add(1_000_000)).toBe(1_000_000);
  core.settle(used(500));
  expect(account.add(1_000_000)).toBe(500_000);
  expect(account.cpuMs).toBe(1000);
});

test('too little to tell a scale from is settled together with what follows', () => {
  const core = new CoreAccounts();
  const account = new CpuAccount(core);
  core.settle(used(0));
  account.add(100_000);
  core.settle(used(50));
  expect(account.cpuMs).toBe(100);
  account.add(300_000);
  core.settle(used(200));
  expect(account.cpuMs).toBe(200);
});

test("where the operating system cannot be asked, V8's counts stand", () => {
  const core = new CoreAccounts();
  const account = new CpuAccount(core);
  core.settle(undefined);
  account.add(700_000);
  core.settle(undefined);
  expect(account.cpuMs).toBe(700);
});
