/** The page of protocols is what the command prints now. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import { protocolRows, protocolsPage } from './table.ts';

it('docs/protocols.md is current', () => {
  const page = readFileSync(new URL('../../../docs/protocols.md', import.meta.url), 'utf8');
  assert.equal(page, protocolsPage(protocolRows()), 'write it anew: npm run protocols:page');
});
