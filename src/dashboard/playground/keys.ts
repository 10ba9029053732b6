/** What keys do in the playground. */

/** What a key asks of the player. */
export type PlayerKey = 'toggle' | 'forward' | 'back' | 'start' | 'end';

/** In the diagram. */
export function keyInDiagram(key: string): PlayerKey | undefined {
  switch (key) {
    case ' ':
      return 'toggle';
    case 'ArrowRight':
    case 'ArrowDown':
      return 'forward';
    case 'ArrowLeft':
    case 'ArrowUp':
      return 'back';
    case 'Home':
      return 'start';
    case 'End':
      return 'end';
    default:
      return undefined;
  }
}

/** Anywhere else: space plays and pauses, unless what has the focus needs it. `tag` in lower case. */
export function keyElsewhere(key: string, tag: string): PlayerKey | undefined {
  const needsSpace = ['input', 'textarea', 'select', 'button', 'a', 'summary', 'option'].includes(tag);
  return key === ' ' && !needsSpace ? 'toggle' : undefined;
}
