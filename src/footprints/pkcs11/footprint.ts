/** Footprint (f), security hardware: a trusted process whose key lies in a PKCS#11 token; `place.ts` has the argument. */
import type { Footprint, MissingRequirement } from '../contract.ts';
import { assertEmptyFolder, carrierPathOf, createByCarrier } from '../process/carrier-launcher.ts';
import { openTrustedProcess, stopTrustedProcess } from '../process/launcher.ts';
import { tokenAccess } from './access.ts';
import { parsePlace, readPlace } from './place.ts';
import { BINDING, BINDING_INSTALL, isBindingInstalled, softhsmPath } from './token.ts';

const CARRIER = 'pkcs11-process.mjs';

function missing(): Promise<readonly MissingRequirement[]> {
  const lacking: MissingRequirement[] = [];
  if (!isBindingInstalled(carrierPathOf(CARRIER)))
    lacking.push({ what: `the npm package ${BINDING} (${BINDING_INSTALL}; it is compiled when installed)` });
  if (softhsmPath() === undefined)
    lacking.push({ what: 'SoftHSM2, or another PKCS#11 library by its path', debianPackage: 'softhsm2' });
  return Promise.resolve(lacking);
}

/** See the top of this file. */
export const pkcs11Footprint: Footprint = {
  name: 'pkcs11',
  scenario: 'f',
  summary: 'own process that alone holds the PIN: key in a PKCS#11 token, counter in the process',
  persistent: true,
  missing,
  create: (options) => {
    assertEmptyFolder(options.folder);
    const place = parsePlace(options.argument);
    const carrierPath = carrierPathOf(CARRIER);
    return createByCarrier(carrierPath, 'pkcs11', options, () => tokenAccess(carrierPath, place));
  },
  open: ({ folder, hardening = 'auto' }) => {
    const carrierPath = carrierPathOf(CARRIER);
    const access = (): ReturnType<typeof tokenAccess> => tokenAccess(carrierPath, readPlace(folder).place);
    return openTrustedProcess({ folder, carrierPath, hardening, access });
  },
  stop: stopTrustedProcess,
};
