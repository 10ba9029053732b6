/* Included before the translated program and wasm2c's runtime: a trap ends the machine instead of unwinding. */
#ifndef MOIETY_TRAP_H
#define MOIETY_TRAP_H

#include "wasm-rt.h"

void carrier_trap(wasm_rt_trap_t code);
#define WASM_RT_TRAP_HANDLER carrier_trap

#endif
