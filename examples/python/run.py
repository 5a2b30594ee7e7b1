"""Runs the examples against REDIS_URL and, where it is set, the cluster at CLUSTER_URL."""

import asyncio
import os

import asyncio_client
import cluster_client
import sync_client

url = os.environ.get("REDIS_URL", "redis://localhost:6379")
sync_client.run(url)
asyncio.run(asyncio_client.run(url))
if cluster := os.environ.get("CLUSTER_URL"):
    cluster_client.run(cluster)
else:
    print("SKIPPED redis-py cluster: CLUSTER_URL is not set")
