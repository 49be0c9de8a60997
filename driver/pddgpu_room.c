// SPDX-License-Identifier: GPL-2.0
/*
 * A request that finds no room may have come at a bad moment: others' victims
 * are on their way out, or their reservations are held by another search. Those
 * who search are listed, so that a failed request knows whether to wait.
 */
#include <linux/delay.h>
#include <linux/jiffies.h>

#include "pddgpu_device.h"
#include "pddgpu_gtt_mgr.h"
#include "pddgpu_health.h"
#include "pddgpu_leak.h"
#include "pddgpu_room.h"
#include "pddgpu_vram_mgr.h"

/* Evictions under way are waited for, but not for ever */
#define PDDGPU_ROOM_PATIENCE	(10 * HZ)

/**
 * pddgpu_room_init() - begin a request
 * @room: filled in
 * @client: for whom the calling thread asks, to whom moves are charged that this takes;
 *	or NULL
 * @grows: there will be more content afterwards than before
 */
void pddgpu_room_init(struct pddgpu_room *room, struct pddgpu_account_client *client,
		      bool grows)
{
	room->task = current;
	room->client = client;
	room->grows = grows;
	room->evicting = false;
	room->attempts = 0;
	room->retried = false;
	room->diverted = false;
	room->since = jiffies;
}

static u64 pddgpu_room_recoveries(struct pddgpu_device *pdev)
{
	return pddgpu_health_recoveries(pddgpu_vram_mgr_health(pdev->vram_mgr)) +
	       pddgpu_health_recoveries(pddgpu_gtt_mgr_health(pdev->gtt_mgr));
}

/**
 * pddgpu_room_search() - an attempt begins
 * @pdev: the device
 * @room: the request, the calling thread's
 */
void pddgpu_room_search(struct pddgpu_device *pdev, struct pddgpu_room *room)
{
	room->evicting = false;
	room->recoveries = pddgpu_room_recoveries(pdev);
	spin_lock(&pdev->search_lock);
	list_add(&room->link, &pdev->searches);
	spin_unlock(&pdev->search_lock);
}

/**
 * pddgpu_room_found() - an attempt is over, whether it found room or not
 * @pdev: the device
 * @room: the request
 */
void pddgpu_room_found(struct pddgpu_device *pdev, struct pddgpu_room *room)
{
	spin_lock(&pdev->search_lock);
	list_del(&room->link);
	spin_unlock(&pdev->search_lock);
}

/**
 * pddgpu_room_evicts() - the calling thread has found a victim
 * @pdev: the device
 *
 * TTM tells the driver by asking where to put it, long before it is moved.
 */
void pddgpu_room_evicts(struct pddgpu_device *pdev)
{
	struct pddgpu_room *room;

	spin_lock(&pdev->search_lock);
	list_for_each_entry(room, &pdev->searches, link) {
		if (room->task == current)
			room->evicting = true;
	}
	spin_unlock(&pdev->search_lock);
}

/**
 * pddgpu_room_client() - for whom does the calling thread ask?
 * @pdev: the device
 *
 * Victims are moved by who needs their room, in TTM's hands, which know of no client.
 *
 * Return: within a search the client that it is for, which stays until the search is
 * over; or NULL.
 */
struct pddgpu_account_client *pddgpu_room_client(struct pddgpu_device *pdev)
{
	struct pddgpu_account_client *client = NULL;
	struct pddgpu_room *room;

	spin_lock(&pdev->search_lock);
	list_for_each_entry(room, &pdev->searches, link) {
		if (room->task != current)
			continue;
		client = room->client;
		break;
	}
	spin_unlock(&pdev->search_lock);
	return client;
}

/**
 * pddgpu_room_grows() - does the calling thread want more than there was?
 * @pdev: the device
 *
 * Return: true within a search of such a request.
 */
bool pddgpu_room_grows(struct pddgpu_device *pdev)
{
	struct pddgpu_room *room;
	bool grows = false;

	spin_lock(&pdev->search_lock);
	list_for_each_entry(room, &pdev->searches, link)
		grows |= room->task == current && room->grows;
	spin_unlock(&pdev->search_lock);
	return grows;
}

/* Is somebody looking for room; is somebody making some? */
static bool pddgpu_room_others(struct pddgpu_device *pdev, bool evicting)
{
	struct pddgpu_room *room;
	bool found = false;

	spin_lock(&pdev->search_lock);
	list_for_each_entry(room, &pdev->searches, link)
		found |= room->evicting || !evicting;
	spin_unlock(&pdev->search_lock);
	return found;
}

/* Of these domains, those whose managers are in ERROR */
static u32 pddgpu_room_broken(struct pddgpu_device *pdev, u32 domains)
{
	u32 broken = 0;

	if (pddgpu_health_failed(pddgpu_vram_mgr_health(pdev->vram_mgr)))
		broken |= PDDGPU_GEM_DOMAIN_VRAM;
	if (pddgpu_health_failed(pddgpu_gtt_mgr_health(pdev->gtt_mgr)))
		broken |= PDDGPU_GEM_DOMAIN_GTT;
	return broken & domains;
}

/**
 * pddgpu_room_wanted() - is it worth to look for room again?
 * @pdev: the device
 *
 * Return: true within anybody's search, and while a manager is in ERROR.
 */
bool pddgpu_room_wanted(struct pddgpu_device *pdev)
{
	return pddgpu_room_others(pdev, false) ||
	       pddgpu_room_broken(pdev, PDDGPU_GEM_DOMAIN_MASK);
}

static bool pddgpu_room_recovers(struct pddgpu_device *pdev, u32 broken)
{
	return (broken & PDDGPU_GEM_DOMAIN_VRAM &&
		pddgpu_health_recovering(pddgpu_vram_mgr_health(pdev->vram_mgr))) ||
	       (broken & PDDGPU_GEM_DOMAIN_GTT &&
		pddgpu_health_recovering(pddgpu_gtt_mgr_health(pdev->gtt_mgr)));
}

/*
 * A failure for want of room is transient when something is about to give some
 * back, when another thread's search held the victims' reservations, or when a
 * manager is about to recover. The caller's own search is over.
 */
static bool pddgpu_room_is_coming(struct pddgpu_device *pdev, struct pddgpu_room *room,
				  u32 broken, u32 most)
{
	struct pddgpu_leak_summary summary;

	/* A large victim takes its time */
	if (most && pddgpu_room_others(pdev, true) &&
	    time_before(jiffies, room->since + PDDGPU_ROOM_PATIENCE))
		return true;
	if (room->attempts++ >= most)
		return false;
	if (pddgpu_room_others(pdev, false) || pddgpu_room_recovers(pdev, broken))
		return true;
	pddgpu_leak_check(pdev->leaks, &summary);
	return summary.state[PDDGPU_LEAK_ZOMBIE].objects;
}

/* Whose settings a request goes by, and in whose statistics it counts */
static struct pddgpu_retry *pddgpu_room_settings(struct pddgpu_device *pdev, u32 domains,
						 struct pddgpu_health **health)
{
	if (domains & PDDGPU_GEM_DOMAIN_VRAM) {
		*health = pddgpu_vram_mgr_health(pdev->vram_mgr);
		return pddgpu_vram_mgr_retry(pdev->vram_mgr);
	}
	*health = pddgpu_gtt_mgr_health(pdev->gtt_mgr);
	return pddgpu_gtt_mgr_retry(pdev->gtt_mgr);
}

/**
 * pddgpu_room_retry() - what becomes of a request after an attempt
 * @pdev: the device
 * @room: the request, its attempt over
 * @domains: where it wants room, PDDGPU_GEM_DOMAIN_*
 * @result: what the attempt came to
 *
 * Waits where another attempt is worth it (requirement C5).
 *
 * Context: process, outside every lock.
 * Return: what the request is to say: @result, -EIO where no manager that it
 * could be served by is well, or -ERESTARTSYS; 0 to try again (also when @result
 * is 0).
 */
int pddgpu_room_retry(struct pddgpu_device *pdev, struct pddgpu_room *room,
		      u32 domains, int result)
{
	u32 broken = pddgpu_room_broken(pdev, domains);
	struct pddgpu_health *health;
	struct pddgpu_retry *retry = pddgpu_room_settings(pdev, domains, &health);

	/*
	 * A manager may have failed under the request's hands, and be well again by
	 * now. If it is not, TTM passes it by.
	 */
	if (result == -EIO && !room->diverted) {
		room->diverted = true;
		return 0;
	}
	if (result != -ENOMEM)
		return result;
	/* One that was in ERROR was passed by, and may have what is wanted */
	if (room->recoveries != pddgpu_room_recoveries(pdev))
		return 0;
	if (!pddgpu_room_is_coming(pdev, room, broken, READ_ONCE(retry->count)))
		return broken && broken == (domains & PDDGPU_GEM_DOMAIN_MASK) ? -EIO : result;
	pddgpu_health_retried(health);
	room->retried = true;
	return msleep_interruptible(READ_ONCE(retry->delay_ms)) ? -ERESTARTSYS : 0;
}

/**
 * pddgpu_room_done() - a request has been granted
 * @pdev: the device
 * @room: the request
 * @domains: as for pddgpu_room_retry()
 */
void pddgpu_room_done(struct pddgpu_device *pdev, struct pddgpu_room *room, u32 domains)
{
	struct pddgpu_health *health;

	if (likely(!room->retried))
		return;
	pddgpu_room_settings(pdev, domains, &health);
	pddgpu_health_helped(health);
}
