/**
 * The trusted process of the footprint `pkcs11` (decision A8): it alone holds the PIN. The key lies in the token and
 * never leaves it; the counter and all else is the program's, whose records are kept as in the footprint `process`,
 * because no standard token binds a counter to a signature. Built into one file, trusted/pkcs11-process.mjs.
 */
import { randomBytes } from 'node:crypto';
import { bytesToHex, bytesToTcEpoch } from '../../core/bytes.ts';
import { RECENT_DEPTH } from '../../trusted/contract.ts';
import type { ProgramKey } from '../../trusted/contract.ts';
import { startModule } from '../../trusted/module.ts';
import { tcIdOf } from '../../trusted/statement.ts';
import { writeWhole } from '../durable-file.ts';
import { runCarrier } from '../process/carrier.ts';
import type { CarriedComponent } from '../process/carrier.ts';
import { programServices } from '../process/environment.ts';
import type { MeasuredModule } from '../process/program-file.ts';
import { StateLog } from '../process/state-log.ts';
import type { StateKey } from '../process/state-log.ts';
import { encodePlace, parsePlace, PLACE_FILE, readPlace } from './place.ts';
import type { StoredPlace } from './place.ts';
import { loadCryptoki, makeSoftToken, Token, TokenProblem } from './token.ts';
import type { TokenKey } from './token.ts';

function programKey(key: TokenKey, stored: StateKey): ProgramKey {
  const { publicKey } = key;
  // A token that signs with another key than it shows is found now, not by the other replicas.
  const seal = key.sign(stored.tcEpoch);
  if (!programServices.check(publicKey, stored.tcEpoch, seal))
    throw new TokenProblem('the token signs with another key than it shows');
  // Programs derive secrets of their own from seals (sessions, shares, waits): they must come out the same again.
  if (!Buffer.from(seal).equals(key.sign(stored.tcEpoch)))
    throw new TokenProblem(
      'the token makes another signature of the same bytes each time, which Ed25519 does not',
    );
  return {
    suite: 'ed25519',
    tcId: tcIdOf(programServices.hash, { suite: 'ed25519', publicKey }),
    tcEpoch: bytesToTcEpoch(stored.tcEpoch),
    publicKey: bytesToHex(publicKey),
    authenticate: (bytes) => key.sign(bytes),
  };
}

/** The program over an open log. Where the log keeps the seed of a key, this one keeps the id of a key in the token. */
function carry(found: MeasuredModule, log: StateLog, token: Token, keyLabel: string): CarriedComponent {
  let key = token.find(log.key.seed);
  if (key === undefined) {
    if (log.records.length > 0)
      throw new TokenProblem(
        'the token does not have the key of this component: it is another token or was cleared; ' +
          'give the replica a new component and re-admit it by RECOVER',
      );
    // New, or a renewal was cut short: nothing was ever certified under this tcEpoch.
    key = token.make(log.key.seed, keyLabel);
  }
  token.destroyOthers(keyLabel, log.key.seed);
  const program = startModule(found.module, {
    ...programServices,
    measurement: found.measurement,
    persistent: true,
    key: programKey(key, log.key),
    records: log.records,
    persist: (record) => {
      log.append(record);
      return true;
    },
    replaceKey: () => {
      const next = log.renew();
      const made = token.make(next.seed, keyLabel);
      token.destroyOthers(keyLabel, next.seed);
      return programKey(made, next);
    },
  });
  log.begin(() => program.image?.());
  return {
    program,
    flush: () => log.flush(),
    close: () => {
      log.close();
      token.close();
    },
  };
}

async function openToken({ place }: StoredPlace): Promise<Token> {
  return Token.open(await loadCryptoki(place), place);
}

async function create(found: MeasuredModule, argument: string): Promise<CarriedComponent> {
  const place = parsePlace(argument) ?? (await makeSoftToken());
  const stored = { place, keyLabel: `moiety-${randomBytes(8).toString('hex')}` };
  const token = await openToken(stored);
  writeWhole(PLACE_FILE, encodePlace(stored));
  StateLog.create('.');
  return carry(found, StateLog.open('.', 'fsync', RECENT_DEPTH), token, stored.keyLabel);
}

async function open(found: MeasuredModule): Promise<CarriedComponent> {
  const stored = readPlace();
  const token = await openToken(stored);
  return carry(found, StateLog.open('.', 'fsync', RECENT_DEPTH), token, stored.keyLabel);
}

void runCarrier({ create, open });
