import { mkdtemp, open, rm } from 'node:fs/promises'; import { tmpdir } from 'node:os'; import { join } from 'node:path';
import { bundleBytes, openBundleFile, outlineBundle, verifyBundle } from '@consilium/study/audit';
import { LargeStudy } from './audit/large-study.ts';
const file='/tmp/aud/prof.tar';
import { existsSync } from 'node:fs';
if (!existsSync(file)) { const study=new LargeStudy({rounds:24,sites:8,parameters:1_000_000});
const p=await (await outlineBundle(study.parts,{payloads:true})).plan(); await using h=await open(file,'w'); for await (const x of bundleBytes(p)) await h.write(x); }
else { await using b=await openBundleFile(file); const c=process.cpuUsage(); const t=performance.now(); await verifyBundle(b); const u=process.cpuUsage(c); console.log(performance.now()-t, u); }
