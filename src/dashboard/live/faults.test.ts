/** Buttons that make faults, and what they send. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { askFaultMenu, buttonsOf, doneWords, makeFault, readFaultMenu } from './faults.ts';
import { GatewayClient } from './gateway-client.ts';

const MENU = readFaultMenu(
  JSON.stringify({
    actions: ['kill', 'kill-tc', 'pause', 'resume', 'restart', 'wipe', 'byzantine', 'partition', 'heal'],
    behaviours: [{ name: 'silent', text: 'says nothing' }],
    processes: [
      { name: 'replica 0', state: 'running', pid: 5, reason: null, byzantine: null, cutOff: false },
      { name: 'replica 1', state: 'paused', reason: null, byzantine: 'silent', cutOff: true },
      { name: 'replica 2', state: 'stopped', reason: 'killed by SIGKILL' },
      { name: 'gateway', state: 'running' },
    ],
  }),
)!;

const labels = (replica: number): string[] =>
  buttonsOf(MENU, MENU.processes[replica], true).flatMap(({ label, isEnabled }) =>
    isEnabled ? [label] : [],
  );

describe('faults', () => {
  it('are offered as they fit the process', () => {
    assert.deepEqual(labels(0), ['Kill', 'Restart', 'Pause', 'Partition', 'Kill its TC', 'Wipe']);
    assert.deepEqual(labels(1), ['Kill', 'Restart', 'Resume', 'Heal', 'Kill its TC', 'Wipe']);
    assert.deepEqual(labels(2), ['Restart', 'Wipe']);
    assert.equal(MENU.processes.length, 3);
    const places = buttonsOf(MENU, MENU.processes[2], true).map(({ place }) => place);
    assert.deepEqual(
      places,
      buttonsOf(MENU, undefined, false).map(({ place }) => place),
    );
    const few = { ...MENU, actions: ['kill'] };
    assert.deepEqual(
      buttonsOf(few, undefined, true).map(({ label }) => label),
      ['Kill'],
    );
  });

  it('ask before a store is deleted', () => {
    const asked = buttonsOf(MENU, undefined, true).filter(({ question }) => question !== undefined);
    assert.deepEqual(
      asked.map(({ action }) => action),
      ['wipe'],
    );
  });

  it('are sent with the token', async () => {
    const sent: string[] = [];
    const send: typeof fetch = (input, init) => {
      const token = new Headers(init?.headers).get('moiety-fault-token');
      sent.push(`${init?.method} ${String(input)} ${token} ${String(init?.body ?? '')}`.trim());
      return Promise.resolve(new Response('{"ok":true}'));
    };
    const client = new GatewayClient(send, () => undefined);
    await askFaultMenu(client, 'T');
    await makeFault(client, 'T', { action: 'kill', replica: 1 });
    await makeFault(client, 'T', { action: 'byzantine', replica: 0, behaviour: 'silent' });
    assert.deepEqual(sent, [
      'GET /v1/fault T',
      'POST /v1/fault/kill/1 T',
      'POST /v1/fault/byzantine/0 T silent',
    ]);
  });

  it('are told in words', () => {
    assert.equal(doneWords('kill', 1, undefined), 'replica 1 killed');
    assert.equal(doneWords('byzantine', 1, 'silent'), 'replica 1 lies: silent');
    assert.equal(doneWords('byzantine', 1, 'none'), 'replica 1 is correct again');
    assert.equal(doneWords('new', 1, undefined), 'replica 1 new');
  });
});
