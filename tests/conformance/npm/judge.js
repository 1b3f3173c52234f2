// Reads {"semver": <folder>, "versions": [...], "ranges": [...]} on stdin and writes what npm's semver says of each
// range: {"version": ..., "answers": [{"valid": bool, "max": version or null, "admits": "0101..."}, ...]}
'use strict'

const { semver: folder, versions, ranges } = JSON.parse(require('fs').readFileSync(0, 'utf8'))
const semver = require(folder)

const answers = ranges.map((range) => {
  if (semver.validRange(range) === null) {
    return { valid: false, max: null, admits: '' }
  }
  return {
    valid: true,
    max: semver.maxSatisfying(versions, range),
    admits: versions.map((version) => (semver.satisfies(version, range) ? '1' : '0')).join('')
  }
})

process.stdout.write(JSON.stringify({ version: require(folder + '/package.json').version, answers }))
