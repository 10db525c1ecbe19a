import { expect, test } from 'vitest';
import { adapterOf } from './webgpu-adapter.ts';

test.each([
  ['a render node of the kernel', ['/dev/null', '/dev/dri/renderD129'], ['/dev/dri/renderD129']],
  ['NVIDIA’s own device', ['/dev/nvidiactl', '/dev/nvidia0', '/dev/nvidia0'], ['/dev/nvidia0']],
  ['Windows’ GPU inside of WSL', ['/dev/dxg'], ['/dev/dxg']],
])('%s is a GPU', (_, files, devices) => {
  expect(adapterOf(files)).toEqual({ kind: 'gpu', devices });
});

test.each([
  ['nothing', []],
  ['a driver’s library, a pipe and a socket', ['/usr/lib/libvulkan_lvp.so', 'pipe:[1]']],
  ['NVIDIA’s control device alone, which is there without a GPU', ['/dev/nvidiactl']],
  [
    'a file of a user that only looks alike',
    ['/home/dev/dri/renderD128', '/dev/dri/renderD128.txt'],
  ],
])('%s is none: whatever computes is software', (_, files) => {
  expect(adapterOf(files)).toEqual({ kind: 'software', devices: [] });
});
