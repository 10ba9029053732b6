/** Puppets live in the simulator's scripts now; constructed histories use the same. */
export { Puppet, Voice } from '../../../src/sim/script/puppet.ts';
