import type { Workload } from './measurement.js'
import { browser } from './workloads/browser.js'
import { history } from './workloads/history.js'
import { hotRoom } from './workloads/hot-room.js'
import { idle } from './workloads/idle.js'
import { manyRooms } from './workloads/many-rooms.js'
import { quietRoom } from './workloads/quiet-room.js'
import { replicas } from './workloads/replicas.js'
import { search } from './workloads/search.js'
import { storm } from './workloads/storm.js'

export const workloads: Workload[] = [hotRoom, manyRooms, quietRoom, storm, idle, replicas, history, search, browser]
