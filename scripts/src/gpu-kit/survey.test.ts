import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { survey } from './survey.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'consilium-survey-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

test('finds displays on the bus, and what the driver says about them', () => {
  const gpu = 'sys/bus/pci/devices/0000:05:00.0';
  put(`${gpu}/class`, '0x030200\n');
  put(`${gpu}/vendor`, '0x10de\n');
  put(`${gpu}/device`, '0x2335\n');
  symlinkSync('../../../../bus/pci/drivers/nvidia', join(root, gpu, 'driver'));
  put('sys/bus/pci/devices/0000:00:1f.0/class', '0x060100\n');
  put('proc/driver/nvidia/version', 'NVRM version: NVIDIA 580.1\nGCC version: 13\n');
  put('proc/driver/nvidia/gpus/0000:05:00.0/information', 'Model: \t NVIDIA H200\nIRQ: 7\n');
  put('etc/os-release', 'NAME=x\nPRETTY_NAME="Some Linux 7"\n');
  mkdirSync(join(root, 'sys/bus/pci/drivers/nvidia'), { recursive: true });
  expect(survey(root)).toMatchObject({
    system: 'Some Linux 7',
    displays: [{ slot: '0000:05:00.0', vendor: 'NVIDIA', device: '0x2335', driver: 'nvidia' }],
    nvidiaDriver: 'NVRM version: NVIDIA 580.1',
    nvidiaModels: ['NVIDIA H200'],
  });
});

test('says nothing about what is not there', () => {
  const found = { system: 'unknown', displays: [], nvidiaDriver: null, nvidiaModels: [] };
  expect(survey(root)).toMatchObject(found);
});
