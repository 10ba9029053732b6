// @ts-nocheck AssemblyScript has other types; its own compiler checks them.
// What a module may ask of its footprint: the same things as `ProgramEnvironment`, by addresses. A module imports those
// that it uses and no others; nothing here can reach the module's state.

// @ts-ignore: decorator
@external("env", "persist")
/** Keeps a record; durable before any answer given from now on leaves. 0: it cannot be kept, nothing changed. */
export declare function persist(at: usize, length: i32): i32;

// @ts-ignore: decorator
@external("env", "authenticate")
/** Signs bytes with the component's key; gives the length of the signature at `out`. Suites other than HMAC. */
export declare function authenticate(at: usize, length: i32, out: usize): i32;

// @ts-ignore: decorator
@external("env", "replaceKey")
/** Makes a new key and tcEpoch, destroys the old ones and all records: a key block at `out`, its length, or 0. */
export declare function replaceKey(out: usize): i32;

// @ts-ignore: decorator
@external("env", "random")
/** Fills memory with unpredictable bytes. */
export declare function random(at: usize, length: i32): void;

// @ts-ignore: decorator
@external("env", "now")
/** Milliseconds of the footprint's own clock, which must be out of the host's reach for WAIT to mean anything. */
export declare function now(): f64;

// @ts-ignore: decorator
@external("env", "check")
/** Whether `authenticator` (64) is the Ed25519 signature of `publicKey` (32) over the bytes. */
export declare function check(publicKey: usize, at: usize, length: i32, authenticator: usize): i32;

// @ts-ignore: decorator
@external("env", "clientRoot")
/** Puts what keys of clients follow from (32 bytes) to `out`; gives its length, or 0 if the component has none. */
export declare function clientRoot(out: usize): i32;
