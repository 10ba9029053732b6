// Builds the images of trusted virtual machines ahead of their first use, and prints what they measure.
// `node scripts/build-trusted-vm.mjs [PROGRAM...]`; without names every program, and the relay of footprint vmm.
import { missingForImages, programImage, relayImage } from '../src/footprints/vm/image.ts';
import { programNames } from './build-trusted.mjs';

const missing = await missingForImages();
for (const { what, debianPackage } of missing)
  console.error(debianPackage === undefined ? what : `${what}: apt-get install ${debianPackage}`);
if (missing.length > 0) process.exit(1);

const names = process.argv.slice(2);
for (const name of names.length > 0 ? names : programNames()) {
  const { archive, measurement, program } = await programImage(name);
  console.log(`${name}: program ${program}, image ${measurement}, ${archive}`);
}
if (names.length === 0) {
  const { archive, measurement } = await relayImage();
  console.log(`relay: image ${measurement}, ${archive}`);
}
