/** Where a scene is drawn. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Boxes, boxOf } from './boxes.ts';
import { purposeOf } from './kinds.ts';
import { layoutOf } from './layout.ts';
import type { Arrow, Scene } from './scene.ts';

function arrow(id: number, from: number, to: number, sentMs: number, arrivedMs: number | undefined): Arrow {
  const label = `COMMIT n${sentMs}`;
  return {
    id,
    from,
    to,
    sentMs,
    arrivedMs,
    isLost: false,
    kind: 'COMMIT',
    label,
    shortLabel: 'C',
    isRefused: false,
  };
}

function scene(arrows: readonly Arrow[]): Scene {
  const lanes = [0, 1, 2].map((id) => ({ label: `replica ${id}`, kind: 'replica' as const }));
  return { lanes, arrows, marks: [] };
}

describe('the layout of a space-time diagram', () => {
  it('keeps the order of time, spreads bursts and squeezes silence', () => {
    const times = [0, 0.01, 0.02, 500, 500.01];
    const layout = layoutOf(scene(times.map((at, index) => arrow(index, 0, 1, at, at + 0.005))), 800);
    const heights = times.map((at) => layout.y(at));
    for (const [index, height] of heights.entries())
      if (index > 0) assert.ok(height - heights[index - 1]! >= 18);
    assert.ok(layout.y(500) - layout.y(0.025) <= 96);
    assert.equal(layout.y(-5), layout.y(0));
    assert.equal(layout.y(9_999), layout.y(500.015));
    assert.ok(layout.y(200) > layout.y(0.025) && layout.y(200) < layout.y(500));
    assert.ok(layout.height > layout.y(9_999));
  });

  it('gives a broadcast one label, and writes several of one place below each other', () => {
    const other = { ...arrow(2, 0, 2, 1, 2), kind: 'PREPARE', label: 'PREPARE n1', shortLabel: 'P' };
    const layout = layoutOf(scene([arrow(0, 0, 1, 1, 2), arrow(1, 0, 2, 1, 2), other]), 800);
    const labels = layout.arrows.map(({ label }) => label?.text);
    assert.deepEqual(labels, ['COMMIT n1', undefined, 'PREPARE n1']);
    assert.notEqual(layout.arrows[0]!.label!.y, layout.arrows[2]!.label!.y);
  });

  it('leads an arrow around a dot that it would run through, and leaves others straight', () => {
    const through = arrow(0, 0, 2, 1, 3);
    const mark = { id: 0, lane: 1, kind: 'execute', label: '', isConflict: false, quorum: [] } as const;
    const bendWith = (atMs: number): number =>
      layoutOf({ ...scene([through]), marks: [{ ...mark, atMs }] }, 800).arrows[0]!.bend;
    assert.notEqual(bendWith(2), 0);
    assert.equal(bendWith(1.1), 0);
    assert.equal(bendWith(2.9), 0);
  });

  it('draws what never arrives as a stub, and fits into 390 pixels with short labels', () => {
    const layout = layoutOf(scene([arrow(0, 1, 0, 1, undefined), arrow(1, 2, 0, 1, 3)]), 358);
    const [stub] = layout.arrows;
    assert.ok(stub!.x2 < stub!.x1 && stub!.x2 > layout.laneX[0]!);
    assert.equal(stub!.label!.text, 'C');
    assert.ok(layout.width <= 358, `${layout.width}`);
  });

  it('has no times at the side where they would be cut, and words of marks of one place below each other', () => {
    const mark = { lane: 1, atMs: 2, kind: 'note', label: 'a', isConflict: false, quorum: [] } as const;
    const both = { ...scene([arrow(0, 0, 1, 1, 2)]), marks: [1, 2].map((id) => ({ ...mark, id })) };
    assert.deepEqual(layoutOf(both, 358).ticks, []);
    assert.ok(layoutOf(both, 800).ticks.length > 0);
    assert.deepEqual(
      layoutOf(both, 800).marks.map(({ words, y }) => words.y - y),
      [12, 24],
    );
  });

  it('puts no words on others, and cuts none at the edge', () => {
    const mark = { atMs: 2, kind: 'note', isConflict: false, quorum: [] } as const;
    const marks = [0, 1, 2].map((lane) => ({ ...mark, id: lane, lane, label: 'suspects the primary' }));
    const arrows = [0, 1, 2, 3, 4, 5].map((id) => ({
      ...arrow(id, 0, 1 + (id % 2), 2 + id / 1_000, 9),
      label: `COMMIT n${id} [0:${id}]`,
    }));
    const layout = layoutOf({ ...scene(arrows), marks }, 390);
    for (const { mark: one, words } of layout.marks) {
      const box = boxOf(one.label, words.x, words.y, words.isRight);
      assert.ok(box.left >= 0 && box.right <= layout.width, `${box.left} to ${box.right}`);
    }
    const wide = layoutOf({ ...scene(arrows), marks }, 900);
    const boxes = new Boxes();
    for (const { mark: one, words } of wide.marks)
      boxes.add(boxOf(one.label, words.x, words.y, words.isRight));
    for (const { label } of wide.arrows) {
      const box = boxOf(label!.text, label!.x, label!.y, label!.isRight);
      assert.ok(boxes.isFree(box), label!.text);
      boxes.add(box);
    }
  });

  it('fits six lanes into 390 pixels', () => {
    const lanes = [0, 1, 2, 3, 4, 5].map((id) => ({ label: `replica ${id}`, kind: 'replica' }) as const);
    const layout = layoutOf({ lanes, arrows: [], marks: [] }, 368);
    assert.ok(layout.width <= 368 && layout.isTight);
    assert.ok(!layoutOf({ lanes, arrows: [], marks: [] }, 900).isTight);
  });

  it('draws an empty scene', () => {
    const layout = layoutOf({ lanes: [], arrows: [], marks: [] }, 300);
    assert.ok(layout.height > 0 && layout.ticks.length === 0);
  });
});

describe('purposes of messages', () => {
  it('tell the three phases of PBFT from the two of MinBFT', () => {
    assert.equal(purposeOf('PREPARE', false), 'proposal');
    assert.equal(purposeOf('PREPARE', true), 'vote');
    assert.equal(purposeOf('COMMIT', true), 'confirm');
    assert.equal(purposeOf('something else', false), 'other');
  });
});
