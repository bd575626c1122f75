// Answers simulations, one JSON object a line, with one JSON object a line: {id, result, ignored} or
// {id, error}. Tests run it as a process of its own; nothing of iam-simulate is linked or shipped.
import { runSimulation } from '@cloud-copilot/iam-simulate'
import readline from 'node:readline'

// iam-simulate 0.1.173 knows only the condition keys of built-in web identity providers and drops those
// of other OIDC issuers, so the issuers of a case get the names of built-in ones that have the same keys.
const builtin = ['accounts.google.com', 'cognito-identity.amazonaws.com']
const issuerKey = /"([A-Za-z0-9.-]+(?:\/[A-Za-z0-9_.-]+)+):(sub|aud)"/g

function withBuiltinIssuers(line) {
  const names = new Map()
  return line.replace(issuerKey, (_, issuer, key) => {
    if (!names.has(issuer)) {
      if (names.size === builtin.length) throw new Error('more than two issuers in a case')
      names.set(issuer, builtin[names.size])
    }
    return `"${names.get(issuer)}:${key}"`
  })
}

async function answer(line) {
  const { id, ...simulation } = JSON.parse(withBuiltinIssuers(line))
  try {
    const r = await runSimulation(simulation, { simulationMode: 'Strict' })
    if (r.resultType === 'error') return { id, error: JSON.stringify(r.errors) }
    const results = r.resultType === 'single' ? [r.result] : r.results
    return { id, result: r.overallResult, ignored: [...new Set(results.flatMap((x) => x.ignoredContextKeys ?? []))] }
  } catch (e) {
    return { id, error: String(e?.message ?? e) }
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await answer(line)) + '\n')
}
