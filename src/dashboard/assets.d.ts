/** What the bundler makes of files that are no programs (scripts/build-pages.mjs). */
declare module '*.css';
declare module '*.wasm' {
  const bytes: Uint8Array;
  export default bytes;
}
declare module '*.txt' {
  const text: string;
  export default text;
}
